//! Keycloak's responses.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use idp_bridge_conformance::fake::Answer;
use idp_bridge_http::{HeaderValue, header};
use serde_json::{Value, json};

/// The answers of a real Keycloak 26.7.3, recorded in November 2026, by the names that the connector's tests use, too.
static RECORDED: LazyLock<BTreeMap<String, (u16, Value)>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../recorded/answers.json")).unwrap_or_default());

/// Returns the recorded answer with this name.
pub fn recorded(name: &str) -> Answer {
    match RECORDED.get(name) {
        Some((status, body)) => json(*status, body),
        None => json(501, &json!({"error": format!("no answer `{name}` is recorded")})),
    }
}

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
    with_header(Answer::empty(201), header::LOCATION, path)
}

/// The redirect of a browser.
pub(crate) fn redirect(url: &str) -> Answer {
    with_header(Answer::empty(302), header::LOCATION, url)
}

/// The refusal of a value by the user profile.
pub(crate) fn field(field: &str, message: &str, params: &Value) -> Answer {
    json(400, &json!({"field": field, "errorMessage": message, "params": params}))
}

/// The refusal of an unknown field.
pub(crate) fn unknown_field(representation: &str, field: &str, error: &serde_json::Error) -> Answer {
    let (line, column) = (error.line(), error.column());
    let why = format!(
        "Invalid json representation for {representation}. Unrecognized field \"{field}\" at line {line} column {column}."
    );
    json(400, &json!({"error": why}))
}

/// The shape of userinfo's refusals: an empty body, and the reason in a header.
pub(crate) fn challenge(status: u16, realm: &str, error: Option<(&str, &str)>) -> Answer {
    let mut text = format!("Bearer realm=\"{realm}\"");
    if let Some((error, description)) = error {
        text += &format!(", error=\"{error}\", error_description=\"{description}\"");
    }
    with_header(Answer::new(status, "text/plain;charset=utf-8", ""), header::WWW_AUTHENTICATE, &text)
}

fn with_header(answer: Answer, name: header::HeaderName, value: &str) -> Answer {
    match HeaderValue::from_str(value) {
        Ok(value) => answer.with(name, value),
        Err(_) => recorded("internal error"),
    }
}

/// A page for browsers.
pub(crate) fn page(status: u16, text: &str) -> Answer {
    Answer::new(status, "text/html;charset=utf-8", format!("<!DOCTYPE html><p>{text}</p>"))
}

/// The response to a request that the real Keycloak accepts in an unspecified way.
pub(crate) fn stricter_than_keycloak(why: &str) -> Answer {
    json(400, &json!({"error": format!("the fake is stricter than Keycloak: {why}")}))
}
