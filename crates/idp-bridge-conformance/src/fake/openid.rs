//! A fake OpenID Provider according to the standards, without the properties of a product.
//!
//! [`OpenId`] has clients, logins and the endpoints that a bridge uses. A fake of a product supplies its [`Users`].
//! Logins need no requests: [`OpenId::log_in`] and [`OpenId::sign_in`] return the tokens that an application would get.

mod endpoints;
mod harness;
mod login;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use idp_bridge_core::{Clock as _, Random as _, SystemClock, SystemRandom};
use serde_json::{Value, json};

use super::{SigningKey, UsedAssertions};
use crate::forge::changed;

pub use login::Login;

/// The client of [`OpenId::sign_in`].
pub const CLIENT: &str = "shop";
/// The client of [`OpenId::sign_in`] that does not belong to the tenant.
pub const FOREIGN_CLIENT: &str = "stranger";

/// The users of a fake OpenID Provider.
pub trait Users: Send + 'static {
    /// Returns the id of the user with this address.
    fn find(&self, email: &str) -> Option<String>;

    /// Returns the user's claims for userinfo. `None` if the user does not exist or is blocked.
    fn claims(&self, id: &str) -> Option<Value>;
}

/// A client.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The secret. `None` for a public client, and for one with a key.
    pub secret: Option<String>,
    /// The public key as a JWK, for assertions instead of a secret.
    pub jwk: Option<Value>,
    /// Whether the client may introspect tokens.
    pub introspects: bool,
}

/// The state of a fake OpenID Provider.
pub struct OpenId<U> {
    /// The issuer, which is also the base URL of the endpoints in the discovery document.
    pub issuer: String,
    /// The users.
    pub users: U,
    /// The clients, by id.
    pub clients: BTreeMap<String, Client>,
    /// The `typ` of access tokens. `None` makes them opaque.
    pub access_type: Option<&'static str>,
    /// The `typ` of refresh tokens. `None` makes them opaque.
    pub refresh_type: Option<&'static str>,
    /// Whether introspection returns the claims of userinfo.
    pub introspection_has_claims: bool,
    /// Whether introspection returns the type of an access token.
    pub introspection_has_type: bool,
    /// Whether the end of a refresh token ends its access tokens, and whether access tokens can be revoked.
    pub ends_access_tokens: bool,
    /// The audience of client assertions, if it is not the issuer.
    pub assertion_audience: Option<String>,
    /// The seconds by which the clock is ahead.
    pub clock_ahead: i64,
    /// Changed members of the discovery document; `null` removes one.
    pub document: BTreeMap<String, Value>,
    key: Arc<SigningKey>,
    used_assertions: UsedAssertions,
    logins: Vec<Login>,
    /// The login and the expiry of each access token.
    access: BTreeMap<String, (usize, i64)>,
}

impl<U: Users> OpenId<U> {
    /// Creates an OpenID Provider without clients and logins.
    pub fn new(issuer: impl Into<String>, users: U, key: Arc<SigningKey>) -> Self {
        Self {
            issuer: issuer.into(),
            users,
            clients: BTreeMap::new(),
            access_type: Some("at+jwt"),
            refresh_type: None,
            introspection_has_claims: true,
            introspection_has_type: true,
            ends_access_tokens: true,
            assertion_audience: None,
            clock_ahead: 0,
            document: BTreeMap::new(),
            key,
            used_assertions: UsedAssertions::default(),
            logins: Vec::new(),
            access: BTreeMap::new(),
        }
    }

    /// Returns the claims of an active access token's user, as userinfo does.
    pub fn userinfo(&self, access: &str) -> Option<Value> {
        self.active(access).and_then(|(login, _)| self.claims(login))
    }

    /// Returns the claims of a login's user. `None` if the user does not exist or is blocked.
    fn claims(&self, login: &Login) -> Option<Value> {
        let mut claims = self.users.claims(&login.user)?;
        set(&mut claims, "sub", json!(login.user));
        if let Some(customer) = &login.customer {
            set(&mut claims, "customer_id", customer.clone());
        }
        Some(claims)
    }
}

/// Sets a member of an object; `null` removes it.
pub fn set(object: &mut Value, name: &str, value: Value) {
    *object = changed(object, name, value);
}

/// Returns a name that was never used.
fn new_name(prefix: &str) -> io::Result<String> {
    Ok(format!("{prefix}-{}", SystemRandom.word().map_err(io::Error::other)?))
}

fn now() -> i64 {
    SystemClock.now().as_second()
}
