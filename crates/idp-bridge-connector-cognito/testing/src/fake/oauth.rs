//! The pool's domain and the issuer's documents: userInfo and the authentication of clients. There are no pages: tests use
//! [`Pool::sign_in`].

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome, jwks};
use idp_bridge_http::header;
use serde_json::{Map, Value, json};

use super::FakeCognito;
use super::answer::refusal;
use super::pool::{AppClient, Pool, User};

/// The default sign-out URL of clients.
pub(crate) const SIGNED_OUT: &str = "https://app.conformance.example/bye";

/// The standard attributes of the scope `profile`, which also allows all custom attributes.
const PROFILE: [&str; 14] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];

impl Pool {
    /// Handles a request to the domain or for the issuer's documents.
    pub(super) fn handle_oauth(&self, request: &Incoming) -> Outcome {
        let path = request.path();
        match (request.method.as_str(), path.strip_prefix(&format!("/{}/.well-known", Self::ID)).unwrap_or(path)) {
            ("GET", "/jwks.json") => Ok(json(200, &jwks(&self.logins.key))),
            ("GET", "/openid-configuration") => Ok(json(200, &self.discovery())),
            ("POST", "/oauth2/token") => self.token(request),
            ("GET", "/oauth2/userInfo") => self.user_info(request),
            (_, path) if path.starts_with("/oauth2/") || path.starts_with("/log") => Err(Answer::empty(405)),
            _ => Err(refusal("UnknownOperationException", "")),
        }
    }

    fn discovery(&self) -> Value {
        let (issuer, url) = (FakeCognito::ISSUER, &self.logins.url);
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "authorization_endpoint": format!("{url}/oauth2/authorize"),
            "token_endpoint": format!("{url}/oauth2/token"),
            "userinfo_endpoint": format!("{url}/oauth2/userInfo"),
            "revocation_endpoint": format!("{url}/oauth2/revoke"),
            "end_session_endpoint": format!("{url}/logout"),
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        })
    }

    /// Authenticates the client by the form. No code is valid, since there are no pages to sign in.
    fn token(&self, request: &Incoming) -> Outcome {
        let form = request.form().ok_or_else(|| refused("invalid_request"))?;
        let client = form.get("client_id").and_then(|id| self.app_client(id));
        let client = client.filter(|client| client.secret.as_ref() == form.get("client_secret"));
        client.ok_or_else(|| refused("invalid_client"))?;
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => Err(refused("invalid_grant")),
            _ => Err(refused("unsupported_grant_type")),
        }
    }

    /// Answers with the user's attributes, as far as the token's scopes and the client's permissions allow. All values are texts.
    fn user_info(&self, request: &Incoming) -> Outcome {
        let invalid = |why: &str| bearer_refusal(401, "invalid_token", why);
        let malformed = || bearer_refusal(400, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint");
        let token = request.bearer().ok_or_else(malformed)?;
        self.claims(token).ok_or_else(|| invalid("Access token format is not valid"))?;
        let (session, user, scopes) = self.find_login(token).ok_or_else(|| {
            invalid("Access token is expired, disabled, or deleted, or the user has globally signed out.")
        })?;
        if !scopes.contains("openid") {
            return Err(invalid("Access token does not contain openid scope"));
        }
        let client = self.app_client(&session.client_id).ok_or_else(malformed)?;
        let mut shown = user_claims(user, client, &scopes);
        shown.extend(session.claimed.clone());
        Ok(json(200, &Value::Object(shown)))
    }
}

/// Returns the claims of a user. `openid` alone allows all readable attributes; other scopes allow their part.
fn user_claims(user: &User, client: &AppClient, scopes: &BTreeSet<String>) -> Map<String, Value> {
    let everything = !["profile", "email", "phone"].iter().any(|scope| scopes.contains(*scope));
    let has = |scope: &str| everything || scopes.contains(scope);
    let in_scope = |name: &str| match name {
        "sub" => true,
        "email" | "email_verified" => has("email"),
        "phone_number" | "phone_number_verified" => has("phone"),
        name if name.starts_with("custom:") || PROFILE.contains(&name) => has("profile"),
        _ => everything,
    };
    // Without a list a client can read all standard attributes, but no custom attributes.
    let readable = |name: &str| match &client.readable {
        Some(listed) => name == "sub" || listed.contains(name),
        None => !name.starts_with("custom:"),
    };
    let attributes = user.attributes.iter().filter(|(name, _)| in_scope(name) && readable(name));
    let mut shown: Map<_, _> = attributes.map(|(name, value)| (name.clone(), json!(value))).collect();
    shown.insert("username".into(), json!(user.username));
    shown
}

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json;charset=UTF-8", body.to_string())
}

/// Creates an error of the token endpoint.
fn refused(code: &str) -> Answer {
    json(400, &json!({"error": code}))
}

/// Creates an error of userInfo.
fn bearer_refusal(status: u16, code: &str, why: &str) -> Answer {
    let challenge = format!("Bearer error=\"{code}\", error_description=\"{why}\"");
    let body = json!({"error": code, "error_description": why});
    json(status, &body).with_text(header::WWW_AUTHENTICATE, &challenge)
}
