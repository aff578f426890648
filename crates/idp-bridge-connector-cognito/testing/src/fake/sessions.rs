//! The logins of the pool, their tokens, and the operations that end them.

use std::collections::BTreeSet;
use std::io;

use idp_bridge_conformance::fake::{Outcome, SigningKey};
use idp_bridge_conformance::fixture::decode_jwt;
use idp_bridge_core::{Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{empty, invalid_parameter, refusal, success};
use super::pool::{Pool, Status, User};
use super::{FakeCognito, Named};

/// The lifetime of an access token, in seconds.
const LIFE: i64 = 3600;

/// The logins of a pool, and the state of its domain.
#[derive(Default)]
pub(crate) struct Logins {
    /// The signing key; set when the fake starts.
    pub(crate) key: Option<SigningKey>,
    /// The URL of the fake and of the pool's domain.
    pub(crate) url: String,
    /// All signed tokens.
    signed: BTreeSet<String>,
    sessions: Vec<Session>,
}

impl Logins {
    pub(crate) fn new(url: String) -> io::Result<Self> {
        Ok(Self { key: Some(SigningKey::rs256("fake-access-1")?), url, ..Self::default() })
    }
}

/// A login: a refresh token, and the tokens issued with it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Session {
    /// The `origin_jti` of its tokens.
    pub origin: String,
    /// A claim that replaces the user's in the responses of userInfo.
    pub claimed: Option<(String, Value)>,
    /// The refresh token.
    pub refresh: String,
    pub(super) client_id: String,
    scopes: Vec<String>,
    user_id: String,
    username: String,
    began: i64,
    ended: bool,
}

/// A revocation of a refresh token.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Revocation {
    client_id: String,
    client_secret: Option<String>,
    token: String,
}

impl Pool {
    /// Signs a user in with an app client, as the domain's page does. Returns the login, its access token and its ID token.
    pub fn sign_in(&mut self, name: &str, password: &str, client_id: &str) -> io::Result<(Session, String, String)> {
        let user = self.user_with_password(name, password).filter(|user| user.status == Status::Confirmed);
        let user = user.ok_or_else(|| io::Error::other("incorrect user name or password"))?;
        let (user_id, username) = (user.id().to_owned(), user.username.clone());
        let client = self.app_client(client_id).ok_or_else(|| io::Error::other("the pool has no such app client"))?;
        let (client_id, scopes) = (client.client_id.clone(), client.scopes.clone());
        let (origin, word) = (self.new_id(), self.new_id());
        // Cognito's refresh token is an encrypted JWT with five parts.
        let refresh = format!("eyJjdHkiOiJKV1QifQ.a2V5.aXY.{}.dGFn", word.replace('-', ""));
        let began = seconds();
        let session =
            Session { origin, claimed: None, refresh, client_id, scopes, user_id, username, began, ended: false };
        self.logins.sessions.push(session.clone());
        let (header, access, id) = (self.header(), self.access_claims(&session), self.id_claims(&session));
        let (access, id) = (self.sign(&header, &access)?, self.sign(&header, &id)?);
        Ok((session, access, id))
    }

    /// Returns the user of a login, if the login has not ended and the user is enabled.
    fn active_user(&self, session: &Session) -> Option<&User> {
        self.user(&session.user_id).filter(|user| user.enabled && (!session.ended || self.ends_late))
    }

    /// Returns the first login that matches.
    pub fn session(&self, matches: impl Fn(&Session) -> bool) -> Option<&Session> {
        self.logins.sessions.iter().find(|session| matches(session))
    }

    /// Changes the logins that match.
    pub fn change_sessions(&mut self, matches: impl Fn(&Session) -> bool, change: impl FnMut(&mut Session)) {
        self.logins.sessions.iter_mut().filter(|session| matches(session)).for_each(change);
    }

    /// Ends the login with this refresh token.
    pub fn end(&mut self, refresh: &str) {
        self.change_sessions(|session| session.refresh == refresh, |session| session.ended = true);
    }

    /// Returns whether this refresh token is active.
    pub fn accepts_refresh_token(&self, token: &str) -> bool {
        self.session(|session| session.refresh == token).is_some_and(|session| self.active_user(session).is_some())
    }

    /// Returns whether userInfo accepts this token.
    pub fn accepts_access_token(&self, token: &str) -> bool {
        self.find_login(token).is_some_and(|(_, _, scopes)| scopes.contains("openid"))
    }

    /// Returns the login, the user and the scopes of an active access token.
    pub(super) fn find_login(&self, token: &str) -> Option<(&Session, &User, BTreeSet<String>)> {
        let claims = self.claims(token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let session = self.session(|session| session.origin == text("origin_jti"))?;
        let is_current = claims.get("exp").and_then(Value::as_i64).is_some_and(|end| end > seconds());
        let user = self.active_user(session).filter(|_| is_current && text("token_use") == "access")?;
        let scopes = text("scope").split(' ').map(str::to_owned).collect();
        (user.id() == text("sub")).then_some((session, user, scopes))
    }

    /// Returns the claims of a token of the pool.
    pub(super) fn claims(&self, token: &str) -> Option<Value> {
        let (_, claims) = decode_jwt(token).ok().filter(|_| self.logins.signed.contains(token))?;
        Some(claims)
    }

    /// Signs a token with the pool's key, and records it as issued.
    pub fn sign(&mut self, header: &Value, claims: &Value) -> io::Result<String> {
        let key = self.logins.key.as_ref().ok_or_else(|| io::Error::other("the fake does not listen yet"))?;
        let token = key.sign(header, claims)?;
        self.logins.signed.insert(token.clone());
        Ok(token)
    }

    /// Returns the header of tokens. As with Cognito it has no `typ`.
    pub fn header(&self) -> Value {
        json!({"kid": self.logins.key.as_ref().map(SigningKey::kid), "alg": "RS256"})
    }

    /// Returns the claims of a new access token.
    pub fn access_claims(&mut self, session: &Session) -> Value {
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
    fn id_claims(&mut self, session: &Session) -> Value {
        let attributes = self.user(&session.user_id).map(|user| json!(user.attributes)).unwrap_or_default();
        let own = json!({
            "aud": session.client_id,
            "token_use": "id",
            "cognito:username": session.username,
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

    pub(crate) fn revoke_token(&mut self, Revocation { client_id, client_secret, token }: Revocation) -> Outcome {
        let unauthorized = || refusal("UnauthorizedException", "Client is not authorized to revoke the token");
        let client = self.app_client(&client_id).filter(|client| client.secret == client_secret);
        if !client.ok_or_else(unauthorized)?.revokes_tokens {
            return Err(refusal("UnsupportedOperationException", "Token revocation is not enabled for the client"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=.".contains(&byte)) {
            return Err(invalid_parameter("Value at 'token' failed to satisfy a constraint"));
        }
        match self.session(|session| session.refresh == token) {
            Some(session) if session.client_id != client_id => Err(unauthorized()),
            // Repeated revocations succeed.
            Some(_) => {
                self.end(&token);
                Ok(empty())
            }
            None => Err(refusal("UnsupportedTokenTypeException", "Token is not a refresh token")),
        }
    }

    pub(crate) fn admin_user_global_sign_out(&mut self, request: &Named) -> Outcome {
        let id = self.user_named(&request.username)?.id().to_owned();
        self.change_sessions(|session| session.user_id == id, |session| session.ended = true);
        Ok(success(&json!({})))
    }
}

/// Returns the current Unix time in seconds.
pub(super) fn seconds() -> i64 {
    SystemClock.now().as_second()
}
