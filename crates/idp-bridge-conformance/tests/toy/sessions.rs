//! Federation of the toy identity provider: the shared fake OpenID Provider behind the toy's own paths.

use std::sync::Arc;

use http::{Method, StatusCode};
use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::fake::openid::{CLIENT, Login, OpenId, Users};
use idp_bridge_core::CustomerId;
use serde_json::{Value, json};

use super::server::{Answer, Server, UserTable, error};

pub(super) const ISSUER: &str = "https://toy.example/acme";
pub(super) const CLIENT_SECRET: &str = "shop-secret";

impl Users for UserTable {
    fn find(&self, email: &str) -> Option<String> {
        self.id_of(email)
    }

    fn claims(&self, id: &str) -> Option<Value> {
        let user = &self.0.get(id).filter(|stored| !stored.user.blocked)?.user;
        let customers: Vec<&str> = user.customers.iter().map(CustomerId::as_str).collect();
        Some(json!({"email": user.email, "email_verified": true, "customer_id": customers}))
    }
}

/// Returns a provider with signed refresh and access tokens.
pub(super) fn openid() -> OpenId<UserTable> {
    let mut openid = OpenId::new(ISSUER, UserTable::default(), Arc::new(SigningKey::rs256("toy-1").unwrap()));
    openid.refresh_type = Some("refresh+jwt");
    openid
}

impl Server {
    /// Returns the response of federation, if the request is one of its own.
    pub(super) fn route_oauth(&self, method: &Method, rest: &[&str], token: &str, body: &[u8]) -> Option<Answer> {
        let openid = &mut self.state().openid;
        let no_content = (StatusCode::NO_CONTENT, Value::Null);
        Some(match (method, rest) {
            (&Method::GET, ["certs"]) => (StatusCode::OK, openid.jwks()),
            (&Method::GET, ["discovery"]) => (StatusCode::OK, json!({"issuer": ISSUER})),
            (&Method::GET, ["userinfo"]) => match openid.userinfo(token) {
                Some(claims) => (StatusCode::OK, claims),
                None => error(StatusCode::UNAUTHORIZED, "token"),
            },
            (&Method::POST, ["client"]) if body == CLIENT_SECRET.as_bytes() => no_content,
            (&Method::POST, ["client"]) => error(StatusCode::UNAUTHORIZED, "client"),
            (&Method::POST, ["revoke"]) => match String::from_utf8_lossy(body).split_once(' ') {
                Some((CLIENT_SECRET, token)) if openid.revoke(CLIENT, token) => no_content,
                Some((CLIENT_SECRET, _)) => error(StatusCode::BAD_REQUEST, "foreign"),
                _ => error(StatusCode::UNAUTHORIZED, "client"),
            },
            (&Method::DELETE, ["sessions", session]) if token == "full" => {
                match openid.end_logins(|login: &Login| login.session() == *session) {
                    true => no_content,
                    false => error(StatusCode::NOT_FOUND, "session"),
                }
            }
            (&Method::DELETE, ["users", user, "sessions"]) if token == "full" => {
                openid.end_logins(|login: &Login| login.user == *user);
                no_content
            }
            _ => return None,
        })
    }
}
