//! userInfo: what the token's scopes and the client's permissions let through of the user, all of it as texts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::header;
use serde_json::{Map, Value, json};

use super::session::{Session, seconds};
use super::{Outcome, json as answer, with};
use crate::fake::pool::{AppClient, Pool, User};

/// What the scope `profile` lets through, beside all custom attributes.
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
        let (session, user) = self.login_of(&claims).ok_or_else(|| {
            invalid("Access token is expired, disabled, or deleted, or the user has globally signed out.")
        })?;
        let scopes: Vec<&str> = text(&claims, "scope").split(' ').collect();
        if !scopes.contains(&"openid") {
            return Err(invalid("Access token does not contain openid scope"));
        }
        let client = self.app_client(text(&claims, "client_id")).ok_or_else(malformed)?;
        let mut shown = shown(user, client, &scopes);
        shown.extend(session.claimed.clone());
        Ok(answer(200, &Value::Object(shown)))
    }

    /// Whether userInfo takes this token.
    pub(crate) fn admits(&self, token: &str) -> bool {
        let claims = self.claims(token);
        claims.is_some_and(|claims| {
            self.login_of(&claims).is_some() && text(&claims, "scope").split(' ').any(|scope| scope == "openid")
        })
    }

    /// The claims of a token that the pool signed.
    fn claims(&self, token: &str) -> Option<Value> {
        let payload = token.split('.').nth(1).filter(|_| self.oauth.signed.contains(token))?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Whose living access token it is.
    fn login_of(&self, claims: &Value) -> Option<(&Session, &User)> {
        let lives = claims.get("exp").and_then(Value::as_i64).is_some_and(|end| end > seconds());
        let session = self.session(|session| session.origin == text(claims, "origin_jti"))?;
        let user = self.living(session).filter(|_| lives && text(claims, "token_use") == "access")?;
        (user.id() == text(claims, "sub")).then_some((session, user))
    }
}

/// `openid` alone lets everything through that the client may read; with others, each has its own part.
fn shown(user: &User, client: &AppClient, scopes: &[&str]) -> Map<String, Value> {
    let narrows = |scope: &&str| matches!(*scope, "profile" | "email" | "phone");
    let everything = !scopes.iter().any(narrows);
    let has = |scope: &str| everything || scopes.contains(&scope);
    let admitted = |name: &str| match name {
        "sub" => true,
        "email" | "email_verified" => has("email"),
        "phone_number" | "phone_number_verified" => has("phone"),
        name if name.starts_with("custom:") || PROFILE.contains(&name) => has("profile"),
        _ => everything,
    };
    // Without a list a client may read all standard attributes, and no custom ones.
    let readable = |name: &str| match &client.readable {
        Some(listed) => name == "sub" || listed.contains(name),
        None => !name.starts_with("custom:"),
    };
    let attributes = user.attributes.iter().filter(|(name, _)| admitted(name) && readable(name));
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
    let told = format!("Bearer error=\"{code}\", error_description=\"{why}\"");
    with(answer(status, &json!({"error": code, "error_description": why})), header::WWW_AUTHENTICATE, &told)
}
