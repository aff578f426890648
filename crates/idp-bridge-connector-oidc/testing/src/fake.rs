//! A fake OpenID Provider with users in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use idp_bridge_conformance::fake::openid::{OpenId, Users, set};
use idp_bridge_conformance::fake::{FakeServer, SigningKey};
use idp_bridge_core::{Random as _, SystemRandom};
use serde_json::{Value, json};

/// The server of the fake.
pub type FakeOidc = FakeServer<Issuer>;
/// The state of the fake.
pub type Issuer = OpenId<UserTable>;

/// A user.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// The email address.
    pub email: Option<String>,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// Whether the user's tokens are rejected.
    pub blocked: bool,
    /// The claim `customer_id`; `null` without a customer.
    pub customer: Value,
}

/// The users, by id.
#[derive(Debug, Default)]
pub struct UserTable(pub BTreeMap<String, User>);

impl UserTable {
    /// Adds a user, and returns the new id.
    pub fn add(&mut self, user: User) -> io::Result<String> {
        let id = format!("user-{}", SystemRandom.word().map_err(io::Error::other)?);
        self.0.insert(id.clone(), user);
        Ok(id)
    }
}

impl Users for UserTable {
    fn find(&self, email: &str) -> Option<String> {
        self.0.iter().find(|(_, user)| user.email.as_deref() == Some(email)).map(|(id, _)| id.clone())
    }

    fn claims(&self, id: &str) -> Option<Value> {
        let user = self.0.get(id).filter(|user| !user.blocked)?;
        let mut claims = json!({"email_verified": user.email_verified});
        set(&mut claims, "email", json!(user.email));
        set(&mut claims, "customer_id", user.customer.clone());
        Some(claims)
    }
}

/// Starts a fake without users and clients. Its URL is the issuer.
pub async fn start() -> io::Result<FakeOidc> {
    let key = Arc::new(SigningKey::es256("fake-1")?);
    let server = FakeServer::start(OpenId::new("", UserTable::default(), key)).await?;
    let url = server.url();
    server.with(|issuer| issuer.issuer = url);
    Ok(server)
}
