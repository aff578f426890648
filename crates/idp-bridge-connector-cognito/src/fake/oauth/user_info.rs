//! userInfo: the user's attributes, as far as the token's scopes and the client's permissions allow. All values are texts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::header;
use serde_json::{Map, Value, json};

use super::session::{Session, seconds};
use super::{Outcome, json as answer, with_header};
use crate::fake::pool::{AppClient, Pool, User};

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
    pub(super) fn user_info(&mut self, request: &Incoming) -> Outcome {
        let malformed = || refused(400, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint");
        let token = request.bearer().ok_or_else(malformed)?;
        let claims = self.claims(token).ok_or_else(|| invalid("Access token format is not valid"))?;
        let (session, user) = self.find_login(&claims).ok_or_else(|| {
            invalid("Access token is expired, disabled, or deleted, or the user has globally signed out.")
        })?;
        let scopes: Vec<&str> = text(&claims, "scope").split(' ').collect();
        if !scopes.contains(&"openid") {
            return Err(invalid("Access token does not contain openid scope"));
        }
        let client = self.app_client(text(&claims, "client_id")).ok_or_else(malformed)?;
        let mut shown = user_claims(user, client, &scopes);
        shown.extend(session.claimed.clone());
        Ok(answer(200, &Value::Object(shown)))
    }

    /// Returns whether userInfo accepts this token.
    pub(crate) fn accepts_access_token(&self, token: &str) -> bool {
        let claims = self.claims(token);
        claims.is_some_and(|claims| {
            self.find_login(&claims).is_some() && text(&claims, "scope").split(' ').any(|scope| scope == "openid")
        })
    }

    /// Returns the claims of a token of the pool.
    fn claims(&self, token: &str) -> Option<Value> {
        let payload = token.split('.').nth(1).filter(|_| self.oauth.signed.contains(token))?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Returns the login and the user of an active access token.
    fn find_login(&self, claims: &Value) -> Option<(&Session, &User)> {
        let is_current = claims.get("exp").and_then(Value::as_i64).is_some_and(|end| end > seconds());
        let session = self.session(|session| session.origin == text(claims, "origin_jti"))?;
        let user = self.active_user(session).filter(|_| is_current && text(claims, "token_use") == "access")?;
        (user.id() == text(claims, "sub")).then_some((session, user))
    }
}

/// Returns the claims of a user. `openid` alone allows all readable attributes; other scopes allow their part.
fn user_claims(user: &User, client: &AppClient, scopes: &[&str]) -> Map<String, Value> {
    let narrows = |scope: &&str| matches!(*scope, "profile" | "email" | "phone");
    let everything = !scopes.iter().any(narrows);
    let has = |scope: &str| everything || scopes.contains(&scope);
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

fn text<'a>(claims: &'a Value, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn invalid(why: &str) -> Answer {
    refused(401, "invalid_token", why)
}

fn refused(status: u16, code: &str, why: &str) -> Answer {
    let challenge = format!("Bearer error=\"{code}\", error_description=\"{why}\"");
    let body = json!({"error": code, "error_description": why});
    with_header(answer(status, &body), header::WWW_AUTHENTICATE, &challenge)
}
