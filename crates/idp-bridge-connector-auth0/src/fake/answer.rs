//! Auth0's responses, in the recorded shapes.

use idp_bridge_conformance::fake::Answer;
use idp_bridge_core::{Clock as _, SystemClock};
use idp_bridge_http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Returns a success. Only successes have the headers of the rate limit.
pub(crate) fn good(status: u16, body: &Value) -> Answer {
    let served = Answer::new(status, "application/json; charset=utf-8", body.to_string());
    with_limit(served, "50", "49", 1)
}

/// Returns the response to a delete.
pub(crate) fn no_content() -> Answer {
    with_limit(Answer::empty(204), "50", "49", 1)
}

/// Returns a response of the OAuth endpoints.
pub(crate) fn oauth(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json", body.to_string())
}

/// Returns an error of the OAuth endpoints.
pub(crate) fn oauth_refusal(status: u16, error: &str, description: &str) -> Answer {
    oauth(status, &json!({"error": error, "error_description": description}))
}

/// Returns an error of the Management API.
pub(crate) fn refusal(status: u16, error: &str, message: &str, code: &str) -> Answer {
    let body = json!({"statusCode": status, "error": error, "message": message, "errorCode": code});
    Answer::new(status, "application/json; charset=utf-8", body.to_string())
}

pub(crate) fn unauthorized() -> Answer {
    let body = json!({"statusCode": 401, "error": "Unauthorized", "message": "Missing authentication"});
    Answer::new(401, "application/json; charset=utf-8", body.to_string())
}

pub(crate) fn insufficient_scope(scopes: &[&str]) -> Answer {
    let message = format!("Insufficient scope, expected any of: {}", scopes.join(","));
    refusal(403, "Forbidden", &message, "insufficient_scope")
}

pub(crate) fn no_such_user() -> Answer {
    refusal(404, "Not Found", "The user does not exist.", "inexistent_user")
}

pub(crate) fn invalid_body(why: &str) -> Answer {
    refusal(400, "Bad Request", &format!("Payload validation error: {why}"), "invalid_body")
}

pub(crate) fn invalid_query(why: &str) -> Answer {
    refusal(400, "Bad Request", &format!("Query validation error: {why}"), "invalid_query_string")
}

/// Returns the error for unsupported users; its text comes from an issue (go-auth0).
pub(crate) fn not_supported() -> Answer {
    let why = "Email verification is not supported for enterprise users";
    refusal(400, "Bad Request", why, "operation_not_supported")
}

/// Returns the error for an unknown path. Its body was not recorded.
pub(crate) fn not_found() -> Answer {
    let body = json!({"statusCode": 404, "error": "Not Found", "message": "Not Found"});
    Answer::new(404, "application/json; charset=utf-8", body.to_string())
}

/// Returns the error of a rate limit, with the documented reset time instead of a `retry-after`. Its text comes from an issue
/// (reset-tenant #31).
pub(crate) fn too_many_requests(seconds: i64) -> Answer {
    let refused = refusal(429, "Too Many Requests", "Global limit has been reached", "too_many_requests");
    with_limit(refused, "2", "0", seconds)
}

/// Returns the error for a request that Auth0 accepts and the connector must not make.
pub(crate) fn stricter_than_auth0(why: &str) -> Answer {
    refusal(400, "Bad Request", &format!("the fake is stricter than Auth0: {why}"), "stricter_than_auth0")
}

fn with_limit(answer: Answer, limit: &'static str, remaining: &'static str, seconds: i64) -> Answer {
    let answer = answer.with(LIMIT, HeaderValue::from_static(limit));
    let answer = answer.with(REMAINING, HeaderValue::from_static(remaining));
    // Rounded up, so that waiting until this time is long enough.
    answer.with(RESET, HeaderValue::from(SystemClock.now().as_second() + seconds + 1))
}
