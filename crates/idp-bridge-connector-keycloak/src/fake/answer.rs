//! Keycloak's recorded responses.

use idp_bridge_conformance::fake::Answer;
use idp_bridge_http::{HeaderValue, header};
use serde_json::{Value, json};

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json;charset=UTF-8", body.to_string())
}

pub(crate) fn ok(body: &Value) -> Answer {
    json(200, body)
}

pub(crate) fn list(items: impl Iterator<Item = Value>) -> Answer {
    ok(&items.collect())
}

pub(crate) fn no_content() -> Answer {
    Answer::empty(204)
}

/// The response for a resource that was created at this path.
pub(crate) fn created(path: &str) -> Answer {
    let answer = Answer::empty(201);
    match HeaderValue::from_str(path) {
        Ok(location) => answer.with(header::LOCATION, location),
        Err(_) => answer,
    }
}

/// The shape of most refusals.
pub(crate) fn error(status: u16, error: &str) -> Answer {
    json(status, &json!({"error": error}))
}

/// The shape of refusals for the admin console.
pub(crate) fn message(status: u16, message: &str) -> Answer {
    json(status, &json!({"errorMessage": message}))
}

/// The shape of refusals by the user profile.
pub(crate) fn field(field: &str, message: &str, params: &Value) -> Answer {
    json(400, &json!({"field": field, "errorMessage": message, "params": params}))
}

/// The shape of the token endpoint's refusals and of internal errors.
pub(crate) fn described(status: u16, error: &str, description: &str) -> Answer {
    json(status, &json!({"error": error, "error_description": description}))
}

pub(crate) fn realm_does_not_exist() -> Answer {
    error(404, "Realm does not exist")
}

/// The shape of userinfo's refusals: an empty body, and the reason in a header.
pub(crate) fn challenge(status: u16, realm: &str, error: Option<(&str, &str)>) -> Answer {
    let mut text = format!("Bearer realm=\"{realm}\"");
    if let Some((error, description)) = error {
        text += &format!(", error=\"{error}\", error_description=\"{description}\"");
    }
    let answer = Answer::new(status, "text/plain;charset=utf-8", "");
    match HeaderValue::from_str(&text) {
        Ok(challenge) => answer.with(header::WWW_AUTHENTICATE, challenge),
        Err(_) => answer,
    }
}

/// A page for browsers.
pub(crate) fn page(status: u16, text: &str) -> Answer {
    Answer::new(status, "text/html;charset=utf-8", format!("<!DOCTYPE html><p>{text}</p>"))
}

pub(crate) fn unauthorized() -> Answer {
    error(401, "HTTP 401 Unauthorized")
}

pub(crate) fn forbidden() -> Answer {
    error(403, "HTTP 403 Forbidden")
}

pub(crate) fn not_found() -> Answer {
    error(404, "HTTP 404 Not Found")
}

pub(crate) fn method_not_allowed() -> Answer {
    error(405, "HTTP 405 Method Not Allowed")
}

pub(crate) fn user_not_found() -> Answer {
    error(404, "User not found")
}

pub(crate) fn crash() -> Answer {
    described(500, "unknown_error", "For more on this error consult the server log.")
}

/// The response to a request that the real Keycloak accepts in an unspecified way.
pub(crate) fn stricter_than_keycloak(why: &str) -> Answer {
    error(400, &format!("the fake is stricter than Keycloak: {why}"))
}
