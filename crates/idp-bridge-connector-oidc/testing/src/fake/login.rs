//! Logins: what an application gets, what lives of it, and how it ends.

use std::io;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::issuer::{Issuer, set, word};

/// The login of a user with a client.
#[derive(Debug, Clone)]
pub struct Login {
    /// Whose.
    pub user: String,
    /// With which client.
    pub client: String,
    /// Whether its tokens outlive the session.
    pub offline: bool,
    /// For how many seconds the access token lives; negative if it has expired already.
    pub life: i64,
    /// What the customer claim says in it, instead of what the user has.
    pub customer: Option<Value>,
    session: String,
    pub(super) refresh: String,
    pub(super) is_alive: bool,
}

/// What a login gives the application.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// The ID token.
    pub id: String,
}

impl Login {
    /// An ordinary login.
    pub fn new(user: impl Into<String>, client: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            client: client.into(),
            offline: false,
            life: 300,
            customer: None,
            session: String::new(),
            refresh: String::new(),
            is_alive: true,
        }
    }
}

pub(super) fn now() -> i64 {
    SystemClock.now().as_second()
}

/// Returns the end of a token, so that introspection and the token agree on it.
fn end_of(claims: &Value) -> i64 {
    claims.get("exp").and_then(Value::as_i64).unwrap_or_default()
}

impl Issuer {
    /// Logs a user in.
    pub fn log_in(&mut self, mut login: Login) -> io::Result<Tokens> {
        (login.session, login.refresh) = (format!("session-{}", word()?), format!("refresh-{}", word()?));
        let claims = self.access_claims(&login)?;
        let access = if self.opaque {
            format!("access-{}", word()?)
        } else {
            self.key.sign(&self.key.header("at+jwt"), &claims)?
        };
        let id = self.id_token(&login)?;
        self.access.insert(access.clone(), (self.logins.len(), end_of(&claims)));
        let refresh = login.refresh.clone();
        self.logins.push(login);
        Ok(Tokens { access, refresh, id })
    }

    fn access_claims(&self, login: &Login) -> io::Result<Value> {
        let end = now() + login.life;
        Ok(json!({
            "iss": self.url, "sub": login.user, "client_id": login.client, "aud": "https://api.acme.example",
            "iat": end - 300, "exp": end, "jti": word()?, "sid": login.session, "scope": "openid email",
        }))
    }

    fn id_token(&self, login: &Login) -> io::Result<String> {
        let claims = json!({
            "iss": self.url, "sub": login.user, "aud": login.client, "iat": now(), "exp": now() + 300,
            "nonce": "n", "sid": login.session,
        });
        self.key.sign(&self.key.header("JWT"), &claims)
    }

    /// A signed token of the type `JWT`, which does not say whether it is an access token or a refresh token.
    pub fn signed_token(&mut self, mut login: Login, is_access: bool) -> io::Result<String> {
        login.session = format!("session-{}", word()?);
        let claims = self.access_claims(&login)?;
        let token = self.key.sign(&self.key.header("JWT"), &claims)?;
        if is_access {
            self.access.insert(token.clone(), (self.logins.len(), end_of(&claims)));
        } else {
            login.refresh.clone_from(&token);
        }
        self.logins.push(login);
        Ok(token)
    }

    /// A token that a client got for itself.
    pub fn client_token(&self, client: &str) -> io::Result<String> {
        let login = Login::new(client, client);
        self.key.sign(&self.key.header("at+jwt"), &self.access_claims(&login)?)
    }

    /// A good token but for its being bound to a key of its sender.
    pub fn bound_token(&mut self, mut login: Login) -> io::Result<String> {
        login.session = format!("session-{}", word()?);
        let mut claims = self.access_claims(&login)?;
        self.logins.push(login);
        set(&mut claims, "cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}));
        let header = self.key.header("at+jwt");
        self.sign(&header, &claims)
    }

    /// A token of another issuer at the same place, with a key of its own under the same name.
    pub fn foreign_token(&self, user: &str, client: &str) -> io::Result<String> {
        let key = SigningKey::es256(self.key.kid())?;
        let mut claims = self.access_claims(&Login::new(user, client))?;
        set(&mut claims, "iss", format!("{}/other", self.url).into());
        key.sign(&key.header("at+jwt"), &claims)
    }

    /// Signs whatever it is told; what it signs is a token of the login whose session the claims name.
    pub fn sign(&mut self, header: &Value, claims: &Value) -> io::Result<String> {
        let token = self.key.sign(header, claims)?;
        if let Some(login) = self.logins.iter().position(|login| claims["sid"] == *login.session) {
            let end = claims["exp"].as_i64().unwrap_or(i64::MAX);
            self.access.insert(token.clone(), (login, end));
        }
        Ok(token)
    }

    /// Ends the session of an access token, as its own logout page does, and gives the logout token that the client is sent.
    pub fn end_session(&mut self, access: &str) -> io::Result<Option<String>> {
        let Some(login) = self.access.get(access).and_then(|(login, _)| self.logins.get_mut(*login)) else {
            return Ok(None);
        };
        login.is_alive = login.is_alive && login.offline;
        let claims = json!({
            "iss": self.url, "aud": login.client, "iat": now(), "exp": now() + 120, "jti": word()?,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": login.user, "sid": login.session,
        });
        self.key.sign(&self.key.header("logout+jwt"), &claims).map(Some)
    }

    /// The login of a living access token.
    pub fn living(&self, access: &str) -> Option<(&Login, i64)> {
        let (login, end) = self.access.get(access)?;
        let login = self.logins.get(*login)?;
        let user = self.users.get(&login.user)?;
        (login.is_alive && !user.blocked && *end > now()).then_some((login, *end))
    }

    /// The login of a living refresh token.
    pub fn refreshable(&self, refresh: &str) -> Option<&Login> {
        self.logins.iter().find(|login| login.refresh == refresh && login.is_alive)
    }

    /// Ends a token that this client got; false if it is another client's.
    pub(super) fn revoke(&mut self, client: &str, token: &str) -> bool {
        if let Some(login) = self.logins.iter_mut().find(|login| login.refresh == token) {
            if login.client != client {
                return false;
            }
            if self.ends_access_tokens {
                login.is_alive = false;
            } else {
                login.refresh.clear();
            }
        } else if let Some((login, _)) = self.access.get(token) {
            if self.logins.get(*login).is_none_or(|login| login.client != client) {
                return false;
            }
            if self.ends_access_tokens {
                self.access.remove(token);
            }
        }
        true
    }
}
