//! The logins of the pool and their tokens: made, and ended as AWS documents it.

use idp_bridge_conformance::fake::{Answer, SigningKey};
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::browser::Request;
use crate::fake::answer::{good, invalid_parameter, nothing, refusal};
use crate::fake::pool::{Pool, User};
use crate::fake::{FakeCognito, needed, only, text};

/// How long an access token lives, in seconds.
const LIFE: i64 = 3600;

/// A login: one refresh token, and all that came of it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// What all of its tokens name.
    pub(crate) origin: String,
    /// A claim that userInfo shows in this login in the place of the user's own.
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
    /// Begins a login; none if there is no such user any more.
    pub(super) fn begin(&mut self, user_id: &str, request: &Request) -> Option<Session> {
        let username = self.user(user_id)?.username.clone();
        let (origin, word) = (self.new_id(), self.new_id());
        let session = Session {
            origin,
            claimed: None,
            // A real one is an encrypted JWT, of five parts.
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

    /// The user of a login, if it lives: it was not ended, and the user is still there and may sign in.
    pub(super) fn living(&self, session: &Session) -> Option<&User> {
        self.user(&session.user_id).filter(|user| user.enabled && (!session.ended || self.ends_late))
    }

    /// The first login that is so.
    pub(crate) fn session(&self, is: impl Fn(&Session) -> bool) -> Option<&Session> {
        self.oauth.sessions.iter().find(|session| is(session))
    }

    /// Changes logins.
    pub(crate) fn change_sessions(&mut self, are: impl Fn(&Session) -> bool, change: impl FnMut(&mut Session)) {
        self.oauth.sessions.iter_mut().filter(|session| are(session)).for_each(change);
    }

    /// Whether this refresh token still gives access tokens.
    pub(crate) fn refreshes(&self, token: &str) -> bool {
        self.session(|session| session.refresh == token).is_some_and(|session| self.living(session).is_some())
    }

    /// Signs these two parts with the pool's key, and takes the result for its own.
    pub(crate) fn sign(&mut self, header: &Value, claims: &Value) -> std::io::Result<String> {
        let key = self.oauth.key.ok_or_else(|| std::io::Error::other("the fake does not listen yet"))?;
        let token = key.sign(header, claims)?;
        self.oauth.signed.insert(token.clone());
        Ok(token)
    }

    /// The header of every token: real ones have no `typ`.
    pub(crate) fn header(&self) -> Value {
        json!({"kid": self.oauth.key.map(SigningKey::kid), "alg": "RS256"})
    }

    /// The claims of a new access token of this login.
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

    /// The claims of a new ID token of this login.
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
        only(body, &["ClientId", "ClientSecret", "Token"])?;
        let (id, token) = (needed(body, "ClientId")?, needed(body, "Token")?);
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
            // That it was revoked before is no error.
            Some(session) => {
                session.ended = true;
                Ok(nothing())
            }
            None => Err(refusal("UnsupportedTokenTypeException", "Token is not a refresh token")),
        }
    }

    pub(crate) fn admin_user_global_sign_out(&mut self, body: &Value) -> Result<Answer, Answer> {
        only(body, &["UserPoolId", "Username"])?;
        let id = self.user_named(needed(body, "Username")?)?.id().to_owned();
        self.change_sessions(|session| session.user_id == id, |session| session.ended = true);
        Ok(good(&json!({})))
    }

    /// Ends the login with this refresh token, as `RevokeToken` does.
    pub(crate) fn end(&mut self, refresh: &str) {
        self.change_sessions(|session| session.refresh == refresh, |session| session.ended = true);
    }
}

/// Now, in seconds since 1970.
pub(super) fn seconds() -> i64 {
    SystemClock.now().as_second()
}
