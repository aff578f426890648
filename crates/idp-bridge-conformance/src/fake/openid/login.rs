//! Logins: issuing, checking and ending their tokens.

use std::io;

use idp_bridge_core::{AccessToken, Secret};
use serde_json::{Value, json};

use super::{OpenId, Users, new_name, now, set};
use crate::{TestResult, Tokens};

/// The lifetime of access tokens, in seconds.
const LIFETIME: i64 = 300;

/// A login of a user with a client.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user's id.
    pub user: String,
    /// The client's id.
    pub client: String,
    /// Whether the tokens outlive the session.
    pub offline: bool,
    /// The remaining lifetime of the access token in seconds; negative for an expired one.
    pub lifetime: i64,
    /// The customer claim, instead of the user's.
    pub customer: Option<Value>,
    session: String,
    refresh: String,
    is_active: bool,
}

impl Login {
    /// Creates an ordinary login.
    pub fn new(user: impl Into<String>, client: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            client: client.into(),
            offline: false,
            lifetime: LIFETIME,
            customer: None,
            session: String::new(),
            refresh: String::new(),
            is_active: true,
        }
    }

    /// Returns the session id, which is the `sid` of the tokens.
    pub fn session(&self) -> &str {
        &self.session
    }
}

impl<U: Users> OpenId<U> {
    /// Logs a user in, and returns the tokens.
    pub fn log_in(&mut self, mut login: Login) -> TestResult<Tokens> {
        login.session = new_name("session")?;
        let claims = self.access_claims(&login)?;
        let access = self.issue("access", self.access_type, &claims)?;
        login.refresh = self.issue("refresh", self.refresh_type, &claims)?;
        // Names its client as an access token does, so that a connector must check the other properties of an ID token.
        let id = json!({
            "iss": self.issuer, "sub": login.user, "aud": login.client, "client_id": login.client, "iat": now(),
            "exp": now() + LIFETIME, "nonce": "n", "sid": login.session,
        });
        let tokens = Tokens {
            access: AccessToken::new(access.clone())?,
            refresh: Some(Secret::new(&*login.refresh)),
            id: Some(Secret::new(self.key.sign(&self.key.header("JWT"), &id)?)),
        };
        // Introspection and the token have the same expiry.
        let end = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
        self.access.insert(access, (self.logins.len(), end));
        self.logins.push(login);
        Ok(tokens)
    }

    /// Returns the claims of a new access token.
    pub(super) fn access_claims(&self, login: &Login) -> io::Result<Value> {
        let end = now() + login.lifetime;
        Ok(json!({
            "iss": self.issuer, "sub": login.user, "client_id": login.client, "aud": "https://api.acme.example",
            "iat": end - LIFETIME, "exp": end, "jti": new_name("token")?, "sid": login.session, "scope": "openid email",
        }))
    }

    /// Returns a token of this type, or an opaque one.
    fn issue(&self, prefix: &str, r#type: Option<&str>, claims: &Value) -> io::Result<String> {
        let Some(r#type) = r#type else { return new_name(prefix) };
        let mut claims = claims.clone();
        set(&mut claims, "jti", json!(new_name(prefix)?));
        self.key.sign(&self.key.header(r#type), &claims)
    }

    /// Signs any header and claims. The token belongs to the login of its `sid`.
    pub fn sign(&mut self, header: &Value, claims: &Value) -> io::Result<String> {
        let token = self.key.sign(header, claims)?;
        if let Some(login) = self.logins.iter().position(|login| claims["sid"] == *login.session) {
            let end = claims["exp"].as_i64().unwrap_or(i64::MAX);
            self.access.insert(token.clone(), (login, end));
        }
        Ok(token)
    }

    /// Returns the login and the expiry of an active access token.
    pub fn active(&self, access: &str) -> Option<(&Login, i64)> {
        let (login, end) = self.access.get(access)?;
        let login = self.logins.get(*login).filter(|login| login.is_active && *end > now())?;
        self.users.claims(&login.user).map(|_| (login, *end))
    }

    /// Returns the login of an active refresh token.
    pub fn refreshable(&self, refresh: &str) -> Option<&Login> {
        self.logins.iter().find(|login| login.refresh == refresh && login.is_active)
    }

    /// Revokes a token. Returns `false` if it belongs to another client.
    pub fn revoke(&mut self, client: &str, token: &str) -> bool {
        if let Some(login) = self.logins.iter_mut().find(|login| login.refresh == token) {
            if login.client != client {
                return false;
            }
            if self.ends_access_tokens {
                login.is_active = false;
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

    /// Ends the active logins that match, and returns whether there were any.
    pub fn end_logins(&mut self, matches: impl Fn(&Login) -> bool) -> bool {
        let mut found = false;
        for login in self.logins.iter_mut().filter(|login| login.is_active && matches(login)) {
            login.is_active = false;
            found = true;
        }
        found
    }

    /// Ends a login as a logout page does, and returns the logout token for the client. An offline login stays active.
    pub fn end_login(&mut self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let access = self.access.get(tokens.access.expose());
        let Some(login) = access.and_then(|(login, _)| self.logins.get_mut(*login)) else {
            return Ok(None);
        };
        login.is_active = login.is_active && login.offline;
        let claims = json!({
            "iss": self.issuer, "aud": login.client, "iat": now(), "exp": now() + 120, "jti": new_name("logout")?,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": login.user, "sid": login.session,
        });
        let token = self.key.sign(&self.key.header("logout+jwt"), &claims)?;
        Ok(Some(AccessToken::new(token)?))
    }
}
