//! What the issuer keeps, and who is who.

use std::collections::BTreeMap;
use std::io;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_core::{Random as _, SystemRandom};
use serde_json::Value;

use super::login::Login;

/// A user.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// The address.
    pub email: Option<String>,
    /// Whether it is proven.
    pub email_verified: bool,
    /// Whether the user's tokens are refused.
    pub blocked: bool,
    /// What the claim `customer_id` says; null if the user has none.
    pub customer: Value,
}

/// A client.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its secret; none if it is public.
    pub secret: Option<String>,
    /// Whether it may ask introspection about tokens of others.
    pub introspects: bool,
}

/// What an OpenID Provider keeps.
pub struct Issuer {
    /// Its URL, and so its name.
    pub url: String,
    /// Whether access tokens are opaque, or signed.
    pub opaque: bool,
    /// Whether introspection says what userinfo says.
    pub introspection_has_claims: bool,
    /// Whether introspection says the type of an access token.
    pub introspection_has_type: bool,
    /// By how many seconds its clock is ahead.
    pub clock_ahead: i64,
    /// Whether the end of a refresh token ends the access tokens that came with it, and whether these can be ended.
    pub ends_access_tokens: bool,
    /// What the discovery document says otherwise; null takes a member out.
    pub document: BTreeMap<String, Value>,
    /// Its users, by id.
    pub users: BTreeMap<String, User>,
    /// Its clients, by id.
    pub clients: BTreeMap<String, Client>,
    pub(super) key: SigningKey,
    pub(super) logins: Vec<Login>,
    /// Which login an access token is of, and when it ends.
    pub(super) access: BTreeMap<String, (usize, i64)>,
}

impl Issuer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            url: String::new(),
            opaque: false,
            introspection_has_claims: true,
            introspection_has_type: true,
            clock_ahead: 0,
            ends_access_tokens: true,
            document: BTreeMap::new(),
            users: BTreeMap::new(),
            clients: BTreeMap::new(),
            key: SigningKey::es256("fake-1")?,
            logins: Vec::new(),
            access: BTreeMap::new(),
        })
    }

    /// Makes a user, and gives the new id.
    pub fn add(&mut self, user: User) -> io::Result<String> {
        let id = format!("user-{}", word()?);
        self.users.insert(id.clone(), user);
        Ok(id)
    }

    /// The id of the user with this address.
    pub fn id_of(&self, email: &str) -> Option<String> {
        let mut users = self.users.iter();
        users.find(|(_, user)| user.email.as_deref() == Some(email)).map(|(id, _)| id.clone())
    }

    /// The claims of a user that userinfo gives.
    pub(super) fn claims(&self, login: &Login) -> Option<Value> {
        let user = self.users.get(&login.user).filter(|user| !user.blocked)?;
        let mut claims = serde_json::json!({"sub": login.user, "email_verified": user.email_verified});
        let customer = login.customer.as_ref().unwrap_or(&user.customer);
        if let Some(email) = &user.email {
            set(&mut claims, "email", email.as_str().into());
        }
        if !customer.is_null() {
            set(&mut claims, "customer_id", customer.clone());
        }
        Some(claims)
    }
}

/// Sets a member of an object.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// A word that nobody had before.
pub(super) fn word() -> io::Result<String> {
    SystemRandom.word().map_err(io::Error::other)
}
