//! The logins of the pool and their tokens.

use idp_bridge_conformance::fake::{Answer, SigningKey};
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::browser::Request;
use crate::fake::answer::{empty, invalid_parameter, refusal, success};
use crate::fake::pool::{Pool, User};
use crate::fake::{FakeCognito, check_members, required, text};

/// The lifetime of an access token, in seconds.
const LIFE: i64 = 3600;

/// A login: a refresh token, and the tokens issued with it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The `origin_jti` of its tokens.
    pub(crate) origin: String,
    /// A claim that replaces the user's in the responses of userInfo.
    pub(crate) claimed: Option<(String, Value)>,
    pub(crate) refresh: String,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
    user_id: String,
    username: String,
    nonce: Option<String>,
    began: i64,
    ended: bool,
}

impl Pool {
    /// Starts a login. `None` if the user no longer exists.
    pub(super) fn begin(&mut self, user_id: &str, request: &Request) -> Option<Session> {
        let username = self.user(user_id)?.username.clone();
        let (origin, word) = (self.new_id(), self.new_id());
        let session = Session {
            origin,
            claimed: None,
            // Cognito's is an encrypted JWT with five parts.
            refresh: format!("eyJjdHkiOiJKV1QifQ.a2V5.aXY.{}.dGFn", word.replace('-', "")),
            client_id: request.client_id.clone(),
            scopes: request.scopes.clone(),
            user_id: user_id.into(),
            username,
            nonce: request.nonce.clone(),
            began: seconds(),
            ended: false,
        };
        self.oauth.sessions.push(session.clone());
        Some(session)
    }

    /// Returns the user of a login, if the login has not ended and the user is enabled.
    pub(super) fn active_user(&self, session: &Session) -> Option<&User> {
        self.user(&session.user_id).filter(|user| user.enabled && (!session.ended || self.ends_late))
    }

    /// Returns the first login that matches.
    pub(crate) fn session(&self, matches: impl Fn(&Session) -> bool) -> Option<&Session> {
        self.oauth.sessions.iter().find(|session| matches(session))
    }

    /// Changes the logins that match.
    pub(crate) fn change_sessions(&mut self, matches: impl Fn(&Session) -> bool, change: impl FnMut(&mut Session)) {
        self.oauth.sessions.iter_mut().filter(|session| matches(session)).for_each(change);
    }

    /// Returns whether this refresh token is active.
    pub(crate) fn accepts_refresh_token(&self, token: &str) -> bool {
        self.session(|session| session.refresh == token).is_some_and(|session| self.active_user(session).is_some())
    }

    /// Signs a token with the pool's key, and records it as issued.
    pub(crate) fn sign(&mut self, header: &Value, claims: &Value) -> std::io::Result<String> {
        let key = self.oauth.key.ok_or_else(|| std::io::Error::other("the fake does not listen yet"))?;
        let token = key.sign(header, claims)?;
        self.oauth.signed.insert(token.clone());
        Ok(token)
    }

    /// Returns the header of tokens. As with Cognito it has no `typ`.
    pub(crate) fn header(&self) -> Value {
        json!({"kid": self.oauth.key.map(SigningKey::kid), "alg": "RS256"})
    }

    /// Returns the claims of a new access token.
    pub(crate) fn access_claims(&mut self, session: &Session) -> Value {
        let own = json!({
            "version": 2,
            "client_id": session.client_id,
            "token_use": "access",
            "scope": session.scopes.join(" "),
            "username": session.username,
        });
        self.claims_of(session, &[own])
    }

    /// Returns the claims of a new ID token.
    pub(super) fn id_claims(&mut self, session: &Session) -> Value {
        let attributes = self.user(&session.user_id).map(|user| json!(user.attributes)).unwrap_or_default();
        let own = json!({
            "aud": session.client_id,
            "token_use": "id",
            "cognito:username": session.username,
            "nonce": session.nonce,
        });
        self.claims_of(session, &[attributes, own])
    }

    fn claims_of(&mut self, session: &Session, more: &[Value]) -> Value {
        let common = json!({
            "sub": session.user_id,
            "iss": FakeCognito::ISSUER,
            "origin_jti": session.origin,
            "event_id": self.new_id(),
            "auth_time": session.began,
            "iat": seconds(),
            "exp": seconds() + LIFE,
            "jti": self.new_id(),
        });
        let members = more.iter().chain([&common]).filter_map(Value::as_object).flatten();
        members.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    pub(crate) fn revoke_token(&mut self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["ClientId", "ClientSecret", "Token"])?;
        let (id, token) = (required(body, "ClientId")?, required(body, "Token")?);
        let unauthorized = || refusal("UnauthorizedException", "Client is not authorized to revoke the token");
        let client = self.app_client(id).ok_or_else(unauthorized)?;
        if client.secret.as_deref() != text(body, "ClientSecret") {
            return Err(unauthorized());
        }
        if !client.revokes_tokens {
            return Err(refusal("UnsupportedOperationException", "Token revocation is not enabled for the client"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=.".contains(&byte)) {
            return Err(invalid_parameter("Value at 'token' failed to satisfy a constraint"));
        }
        match self.oauth.sessions.iter_mut().find(|session| session.refresh == token) {
            Some(session) if session.client_id != id => Err(unauthorized()),
            // Repeated revocations succeed.
            Some(session) => {
                session.ended = true;
                Ok(empty())
            }
            None => Err(refusal("UnsupportedTokenTypeException", "Token is not a refresh token")),
        }
    }

    pub(crate) fn admin_user_global_sign_out(&mut self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "Username"])?;
        let id = self.user_named(required(body, "Username")?)?.id().to_owned();
        self.change_sessions(|session| session.user_id == id, |session| session.ended = true);
        Ok(success(&json!({})))
    }

    /// Ends the login with this refresh token.
    pub(crate) fn end(&mut self, refresh: &str) {
        self.change_sessions(|session| session.refresh == refresh, |session| session.ended = true);
    }
}

/// Returns the current Unix time in seconds.
pub(super) fn seconds() -> i64 {
    SystemClock.now().as_second()
}
