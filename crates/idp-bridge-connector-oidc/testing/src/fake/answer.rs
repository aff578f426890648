//! How the issuer answers a request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::fake::{Answer, Fake, Incoming, jwks};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::issuer::{Client, Issuer, set};
use super::login::now;

const JSON: &str = "application/json";

impl Fake for Issuer {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let answered = match (&request.method, request.path()) {
            (&Method::GET, "/.well-known/openid-configuration") => Ok(json(200, &self.discovery())),
            (&Method::GET, "/jwks") => Ok(json(200, &jwks([&self.key]))),
            (&Method::GET | &Method::POST, "/userinfo") => Ok(self.userinfo(request)),
            (&Method::POST, "/introspect") => self.introspect(request),
            (&Method::POST, "/revoke") => self.end(request),
            (&Method::POST, "/token") => self.token(request),
            _ => Ok(Answer::new(404, "text/html", "<h1>Not found</h1>")),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }
}

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, JSON, body.to_string()).with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn refusal(status: u16, error: &str) -> Answer {
    json(status, &json!({"error": error, "error_description": "words that nobody may rely on"}))
}

/// RFC 6750, section 3.
fn invalid_token() -> Answer {
    let challenge = HeaderValue::from_static(r#"Bearer realm="fake", error="invalid_token""#);
    refusal(401, "invalid_token").with(header::WWW_AUTHENTICATE, challenge)
}

impl Issuer {
    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.url);
        let mut document = json!({
            "issuer": self.url,
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
            "id_token_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["openid", "email", "offline_access"],
            "claims_supported": ["sub", "email", "email_verified", "customer_id"],
        });
        for (name, value) in &self.document {
            match (value, document.as_object_mut()) {
                (Value::Null, Some(members)) => drop(members.remove(name)),
                _ => set(&mut document, name, value.clone()),
            }
        }
        document
    }

    fn userinfo(&self, request: &Incoming) -> Answer {
        let living = request.bearer().and_then(|token| self.living(token));
        living.and_then(|(login, _)| self.claims(login)).map_or_else(invalid_token, |claims| json(200, &claims))
    }

    fn introspect(&self, request: &Incoming) -> Result<Answer, Answer> {
        let (_, client, form) = self.client(request)?;
        if !client.introspects || client.secret.is_none() {
            return Err(refusal(403, "access_denied"));
        }
        let token =
            form.get("token").filter(|token| !token.is_empty()).ok_or_else(|| refusal(400, "invalid_request"))?;
        let Some((login, end)) = self.living(token) else {
            // What a refresh token's introspection lacks is the type: there is no standard name for it.
            return Ok(json(
                200,
                &match self.refreshable(token) {
                    Some(login) => json!({
                        "active": true, "iss": self.url, "sub": login.user, "client_id": login.client, "scope": "openid email",
                    }),
                    None => json!({"active": false}),
                },
            ));
        };
        let mut answer = json!({
            "active": true, "iss": self.url, "sub": login.user, "client_id": login.client, "iat": end - login.life,
            "exp": end, "scope": "openid email",
        });
        if self.introspection_has_type {
            set(&mut answer, "token_type", "Bearer".into());
        }
        if self.introspection_has_claims
            && let (Some(members), Some(Value::Object(claims))) = (answer.as_object_mut(), self.claims(login))
        {
            members.extend(claims);
        }
        Ok(json(200, &answer))
    }

    fn end(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let (id, client, form) = self.client(request)?;
        let token =
            form.get("token").filter(|token| !token.is_empty()).ok_or_else(|| refusal(400, "invalid_request"))?;
        // Who cannot prove to be the client is not told whose a token is: seen at node-oidc-provider 9.13, November 2026.
        let said = self.revoke(&id, token) || client.secret.is_none();
        let date = Timestamp::from_second(now() + self.clock_ahead).unwrap_or_default();
        let date = HeaderValue::from_str(&date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        let date = date.map_err(|_| Answer::empty(500))?;
        if said { Ok(Answer::empty(200).with(header::DATE, date)) } else { Err(refusal(400, "invalid_request")) }
    }

    /// Nobody redeems a good code here: applications get their tokens from the fake's memory.
    fn token(&self, request: &Incoming) -> Result<Answer, Answer> {
        let (_, _, form) = self.client(request)?;
        let given = |name: &str| form.get(name).is_some_and(|value| !value.is_empty());
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") if given("code") && given("redirect_uri") => Err(refusal(400, "invalid_grant")),
            Some("authorization_code") => Err(refusal(400, "invalid_request")),
            _ => Err(refusal(400, "unsupported_grant_type")),
        }
    }

    /// The client that proves itself, and the form.
    fn client(&self, request: &Incoming) -> Result<(String, Client, Form), Answer> {
        let form = request.form().ok_or_else(|| refusal(400, "invalid_request"))?;
        let (id, secret) = match request.header(&header::AUTHORIZATION) {
            Some(header) => {
                // RFC 6749, section 2.3: not two ways at once.
                if form.contains_key("client_secret") {
                    return Err(refusal(400, "invalid_request"));
                }
                let (id, secret) = basic(header).ok_or_else(|| refusal(401, "invalid_client"))?;
                (id, Some(secret))
            }
            None => {
                let id = form.get("client_id").ok_or_else(|| refusal(401, "invalid_client"))?;
                (id.clone(), form.get("client_secret").cloned())
            }
        };
        match self.clients.get(&id) {
            Some(client) if client.secret == secret => Ok((id, client.clone(), form)),
            _ => Err(refusal(401, "invalid_client")),
        }
    }
}

type Form = std::collections::BTreeMap<String, String>;

/// Id and secret, each form-encoded before they were joined (RFC 6749, section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let joined = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    let query = format!("/?id={id}&secret={secret}");
    let read = Incoming::new(Method::GET, &query).query()?;
    Some((read.get("id")?.clone(), read.get("secret")?.clone()))
}
