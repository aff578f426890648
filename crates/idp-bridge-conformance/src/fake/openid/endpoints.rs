//! The endpoints.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, DATE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method};
use idp_bridge_core::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Client, OpenId, Users, now, set};
use crate::fake::{Answer, AssertionRules, Fake, Incoming, jwks};

type Form = BTreeMap<String, String>;

impl<U: Users> Fake for OpenId<U> {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let answer = match (&request.method, request.path()) {
            (&Method::GET, "/.well-known/openid-configuration") => Ok(json(200, &self.discovery())),
            (&Method::GET, "/jwks") => Ok(json(200, &self.jwks())),
            (&Method::GET | &Method::POST, "/userinfo") => {
                let claims = request.bearer().and_then(|token| self.userinfo(token));
                claims.map(|claims| json(200, &claims)).ok_or_else(invalid_token)
            }
            (&Method::POST, "/introspect") => self.introspect(request),
            (&Method::POST, "/revoke") => self.handle_revocation(request),
            (&Method::POST, "/token") => self.token(request),
            _ => Ok(Answer::new(404, "text/html", "<h1>Not found</h1>")),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }
}

fn json(status: u16, body: &Value) -> Answer {
    let answer = Answer::new(status, "application/json", body.to_string());
    answer.with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn refusal(status: u16, error: &str) -> Answer {
    json(status, &json!({"error": error, "error_description": "a text that clients must not depend on"}))
}

/// RFC 6750, section 3.
fn invalid_token() -> Answer {
    let challenge = HeaderValue::from_static(r#"Bearer realm="fake", error="invalid_token""#);
    refusal(401, "invalid_token").with(WWW_AUTHENTICATE, challenge)
}

impl<U: Users> OpenId<U> {
    /// Returns the JWKS document.
    pub fn jwks(&self) -> Value {
        jwks([&*self.key])
    }

    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        let mut document = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "jwks_uri": at("jwks"),
            "userinfo_endpoint": at("userinfo"),
            "introspection_endpoint": at("introspect"),
            "revocation_endpoint": at("revoke"),
            "end_session_endpoint": at("end-session"),
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.key.algorithm()],
            "scopes_supported": ["openid", "email", "offline_access"],
            "claims_supported": ["sub", "email", "email_verified", "customer_id"],
        });
        for (name, value) in &self.document {
            set(&mut document, name, value.clone());
        }
        document
    }

    fn introspect(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let (_, client, form) = self.authenticate(request)?;
        if !client.introspects || client.is_public() {
            return Err(refusal(403, "access_denied"));
        }
        let token = required(&form, "token")?;
        let (login, end) = match (self.active(token), self.refreshable(token)) {
            (Some((login, end)), _) => (login, Some(end)),
            (None, Some(login)) => (login, None),
            (None, None) => return Ok(json(200, &json!({"active": false}))),
        };
        let mut answer = json!({
            "active": true, "iss": self.issuer, "sub": login.user, "client_id": login.client, "scope": "openid email",
        });
        // The response for a refresh token has no type, since no standard defines its name.
        if let Some(end) = end {
            set(&mut answer, "iat", json!(end - login.lifetime));
            set(&mut answer, "exp", json!(end));
            if self.introspection_has_type {
                set(&mut answer, "token_type", json!("Bearer"));
            }
            let claims = self.claims(login).filter(|_| self.introspection_has_claims);
            for (name, value) in claims.iter().filter_map(Value::as_object).flatten() {
                set(&mut answer, name, value.clone());
            }
        }
        Ok(json(200, &answer))
    }

    fn handle_revocation(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let (id, client, form) = self.authenticate(request)?;
        let (token, is_public) = (required(&form, "token")?, client.is_public());
        // A public client also gets 200 for another client's token (observed on node-oidc-provider 9.13, November 2026).
        if !self.revoke(&id, token) && !is_public {
            return Err(refusal(400, "invalid_request"));
        }
        let date = Timestamp::from_second(now() + self.clock_ahead).unwrap_or_default();
        let date = HeaderValue::from_str(&date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        Ok(Answer::empty(200).with(DATE, date.map_err(|_| Answer::empty(500))?))
    }

    /// Rejects every code, since logins need no requests.
    fn token(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let (_, _, form) = self.authenticate(request)?;
        if form.get("grant_type").is_none_or(|grant| grant != "authorization_code") {
            return Err(refusal(400, "unsupported_grant_type"));
        }
        required(&form, "code")?;
        required(&form, "redirect_uri")?;
        Err(refusal(400, "invalid_grant"))
    }

    /// Returns the authenticated client and the form.
    fn authenticate(&mut self, request: &Incoming) -> Result<(String, Client, Form), Answer> {
        let form = request.form().ok_or_else(|| refusal(400, "invalid_request"))?;
        let unknown = || refusal(401, "invalid_client");
        let (id, secret) = match request.header(&AUTHORIZATION) {
            // RFC 6749, section 2.3: a client must not use two methods.
            Some(_) if ["client_secret", "client_assertion"].iter().any(|name| form.contains_key(*name)) => {
                return Err(refusal(400, "invalid_request"));
            }
            Some(header) => {
                let (id, secret) = parse_basic(header).ok_or_else(unknown)?;
                (id, Some(secret))
            }
            None => (form.get("client_id").ok_or_else(unknown)?.clone(), form.get("client_secret").cloned()),
        };
        let client = self.clients.get(&id).filter(|client| client.secret == secret).ok_or_else(unknown)?.clone();
        let is_right = match (&client.jwk, form.get("client_assertion")) {
            (None, None) => true,
            (Some(jwk), Some(assertion)) => {
                let kind = form.get("client_assertion_type").map(String::as_str);
                let audience = self.assertion_audience.as_ref().unwrap_or(&self.issuer);
                self.used_assertions.accept(kind, assertion, AssertionRules { client_id: &id, jwk, audience })
            }
            _ => false,
        };
        if is_right { Ok((id, client, form)) } else { Err(unknown()) }
    }
}

impl Client {
    /// Returns whether the client has no credentials.
    fn is_public(&self) -> bool {
        self.secret.is_none() && self.jwk.is_none()
    }
}

/// Returns a field that is not empty.
fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Answer> {
    let value = form.get(name).filter(|value| !value.is_empty());
    value.map(String::as_str).ok_or_else(|| refusal(400, "invalid_request"))
}

/// Returns the id and the secret, which are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn parse_basic(header: &str) -> Option<(String, String)> {
    let joined = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    let query = Incoming::new(Method::GET, &format!("/?id={id}&secret={secret}")).query()?;
    Some((query.get("id")?.clone(), query.get("secret")?.clone()))
}
