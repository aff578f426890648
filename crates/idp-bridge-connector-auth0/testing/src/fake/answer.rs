//! Auth0's responses, in the recorded shapes.

use idp_bridge_conformance::fake::Answer;
use idp_bridge_core::{Clock as _, SystemClock};
use idp_bridge_http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Returns a success. Only successes have the headers of the rate limit.
pub(crate) fn good(status: u16, body: &Value) -> Answer {
    with_limit(Answer::new(status, "application/json; charset=utf-8", body.to_string()), "50", "49", 1)
}

/// Returns the response to a delete.
pub(crate) fn no_content() -> Answer {
    with_limit(Answer::empty(204), "50", "49", 1)
}

/// Returns an error of the OAuth endpoints.
pub(crate) fn oauth_refusal(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(status, &json!({"error": error, "error_description": description}))
}

/// Returns an error of the Management API. Some have no code.
pub(crate) fn refusal(status: u16, message: &str, code: impl Into<Option<&'static str>>) -> Answer {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut body = json!({"statusCode": status, "error": reason, "message": message});
    if let (Some(code), Some(members)) = (code.into(), body.as_object_mut()) {
        members.insert("errorCode".into(), json!(code));
    }
    Answer::new(status, "application/json; charset=utf-8", body.to_string())
}

pub(crate) fn no_such_user() -> Answer {
    refusal(404, "The user does not exist.", "inexistent_user")
}

pub(crate) fn invalid_body(why: &str) -> Answer {
    refusal(400, &format!("Payload validation error: {why}"), "invalid_body")
}

pub(crate) fn invalid_query(why: &str) -> Answer {
    refusal(400, &format!("Query validation error: {why}"), "invalid_query_string")
}

/// Returns the error for unsupported users; its text comes from an issue (go-auth0).
pub(crate) fn not_supported() -> Answer {
    refusal(400, "Email verification is not supported for enterprise users", "operation_not_supported")
}

/// Returns the error for an unknown path. Its body was not recorded.
pub(crate) fn not_found() -> Answer {
    refusal(404, "Not Found", None)
}

/// Returns the error of a rate limit, with the documented reset time instead of a `retry-after`. Its text comes from an issue
/// (reset-tenant #31).
pub(crate) fn too_many_requests(seconds: i64) -> Answer {
    with_limit(refusal(429, "Global limit has been reached", "too_many_requests"), "2", "0", seconds)
}

/// Returns the error for a request that Auth0 accepts and the connector must not make.
pub(crate) fn stricter_than_auth0(why: &str) -> Answer {
    refusal(400, &format!("the fake is stricter than Auth0: {why}"), "stricter_than_auth0")
}

fn with_limit(answer: Answer, limit: &'static str, remaining: &'static str, seconds: i64) -> Answer {
    let answer =
        answer.with(LIMIT, HeaderValue::from_static(limit)).with(REMAINING, HeaderValue::from_static(remaining));
    // Rounded up, so that waiting until this time is long enough.
    answer.with(RESET, HeaderValue::from(SystemClock.now().as_second() + seconds + 1))
}
