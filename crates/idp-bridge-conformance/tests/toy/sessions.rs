//! Federation of the toy identity provider: sessions and tokens.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use idp_bridge_conformance::{Flaw, SignIn, Staged, TokenStatus, Tokens};
use idp_bridge_core::{AccessToken, Clock as _, CustomerId, Secret, SystemClock};
use serde_json::{Value, json};

use super::jwt::{Jwt, KEY};
use super::server::{Answer, Server, State, error};

pub(super) const ISSUER: &str = "https://toy.example/acme";
pub(super) const CLIENT: &str = "shop";
pub(super) const CLIENT_SECRET: &str = "shop-secret";
const FOREIGN: &str = "stranger";

/// One login.
pub(super) struct Session {
    user: String,
    client: &'static str,
    claim: Option<Value>,
}

pub(super) type Sessions = BTreeMap<String, Session>;

fn now() -> i64 {
    SystemClock.now().as_second()
}

pub(super) fn sign(header: &Value, claims: &Value) -> String {
    KEY.sign(header, claims).unwrap()
}

impl Server {
    pub(super) fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        if !self.log_in(&sign_in.email, &sign_in.password) {
            return Err("the password is wrong".into());
        }
        let mut state = self.state();
        let user = state.id_of(&sign_in.email).unwrap();
        let client = if sign_in.foreign_client { FOREIGN } else { CLIENT };
        let sid = state.new_name("session");
        let session = Session { user: user.clone(), client, claim: sign_in.customer_claim.clone() };
        state.sessions.insert(sid.clone(), session);
        let (age, life) = if sign_in.expired { (900, 300) } else { (0, 300) };
        let claims = json!({
            "iss": ISSUER, "sub": user, "azp": client, "sid": sid, "iat": now() - age, "exp": now() - age + life,
        });
        let of_type = |name: &str| sign(&KEY.header(name), &claims);
        Ok(Tokens {
            access: AccessToken::new(of_type("at+jwt"))?,
            refresh: Some(Secret::new(of_type("refresh+jwt"))),
            id: Some(Secret::new(of_type("JWT"))),
        })
    }

    pub(super) fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        let good = Jwt::parse(self.sign_in(sign_in)?.access.expose()).unwrap();
        let mut claims = good.claims;
        match flaw {
            Flaw::AnotherIssuer => claims["iss"] = json!("https://toy.example/other"),
            Flaw::ServiceAccount => claims["service"] = json!(true),
            Flaw::SenderConstrained => claims["cnf"] = json!({"jkt": "thumbprint"}),
            other => return Err(format!("the toy does not implement {other:?}").into()),
        }
        Ok(AccessToken::new(sign(&good.header, &claims))?)
    }

    pub(super) fn check_tokens(&self, tokens: &Tokens) -> TokenStatus {
        let state = self.state();
        let access = state.userinfo(tokens.access.expose()).0 == StatusCode::OK;
        let refresh = tokens.refresh.as_ref().map(|token| state.session_of(token.expose()).is_some());
        TokenStatus { userinfo: Some(access), introspection: Some(access), refresh }
    }

    /// Ends the session, and returns the logout token of the back channel.
    pub(super) fn end_login(&self, tokens: &Tokens) -> AccessToken {
        let access = Jwt::parse(tokens.access.expose()).unwrap();
        self.state().sessions.remove(access.claims["sid"].as_str().unwrap());
        let claims = json!({
            "iss": ISSUER, "aud": CLIENT, "iat": now(), "exp": now() + 120, "jti": "j-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sid": access.claims["sid"], "sub": access.claims["sub"],
        });
        AccessToken::new(sign(&KEY.header("logout+jwt"), &claims)).unwrap()
    }

    /// Returns the response of federation, if the request is one of its own.
    pub(super) fn route_oauth(&self, method: &Method, rest: &[&str], token: &str, body: &[u8]) -> Option<Answer> {
        let mut state = self.state();
        Some(match (method, rest) {
            (&Method::GET, ["certs"]) => (StatusCode::OK, idp_bridge_conformance::fake::jwks([&*KEY])),
            (&Method::GET, ["discovery"]) => (StatusCode::OK, json!({"issuer": ISSUER})),
            (&Method::GET, ["userinfo"]) => state.userinfo(token),
            (&Method::POST, ["client"]) if body == CLIENT_SECRET.as_bytes() => (StatusCode::NO_CONTENT, Value::Null),
            (&Method::POST, ["client"]) => error(StatusCode::UNAUTHORIZED, "client"),
            (&Method::POST, ["revoke"]) => state.revoke(&String::from_utf8_lossy(body)),
            (&Method::DELETE, ["sessions", sid]) if token == "full" => match state.sessions.remove(*sid) {
                Some(_) => (StatusCode::NO_CONTENT, Value::Null),
                None => error(StatusCode::NOT_FOUND, "session"),
            },
            (&Method::DELETE, ["users", user, "sessions"]) if token == "full" => {
                state.sessions.retain(|_, session| session.user != *user);
                (StatusCode::NO_CONTENT, Value::Null)
            }
            _ => return None,
        })
    }
}

impl State {
    /// Returns the active session of a token, if its user is not blocked.
    fn session_of(&self, token: &str) -> Option<&Session> {
        let jwt = Jwt::parse(token).filter(|jwt| jwt.is_signed_with(&KEY.jwk()))?;
        let session = self.sessions.get(jwt.claims["sid"].as_str()?)?;
        self.users.get(&session.user).filter(|stored| !stored.user.blocked)?;
        Some(session)
    }

    fn userinfo(&self, token: &str) -> Answer {
        let is_unexpired = |jwt: &Jwt| jwt.claims["exp"].as_i64().is_some_and(|end| end > now());
        let unauthorized = || error(StatusCode::UNAUTHORIZED, "token");
        let Some(session) = Jwt::parse(token).filter(is_unexpired).and_then(|_| self.session_of(token)) else {
            return unauthorized();
        };
        let Some(stored) = self.users.get(&session.user) else { return unauthorized() };
        let own: Vec<&str> = stored.user.customers.iter().map(CustomerId::as_str).collect();
        let claim = session.claim.clone().unwrap_or_else(|| json!(own));
        let email = &stored.user.email;
        (StatusCode::OK, json!({"sub": session.user, "email": email, "email_verified": true, "customer_id": claim}))
    }

    fn revoke(&mut self, body: &str) -> Answer {
        let (secret, token) = body.split_once(' ').unwrap_or_default();
        if secret != CLIENT_SECRET {
            return error(StatusCode::UNAUTHORIZED, "client");
        }
        if self.session_of(token).is_some_and(|session| session.client != CLIENT) {
            return error(StatusCode::BAD_REQUEST, "foreign");
        }
        if let Some(jwt) = Jwt::parse(token) {
            self.sessions.remove(jwt.claims["sid"].as_str().unwrap_or_default());
        }
        (StatusCode::NO_CONTENT, Value::Null)
    }
}
