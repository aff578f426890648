//! Cognito's responses: JSON 1.1, with the error code in the body and in a header.

use idp_bridge_conformance::fake::Answer;
use idp_bridge_http::HeaderName;
use serde_json::{Value, json};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Creates a successful response.
pub(crate) fn success(body: &Value) -> Answer {
    Answer::new(200, CONTENT_TYPE, body.to_string())
}

/// Creates the response of an operation without output.
pub(crate) fn empty() -> Answer {
    Answer::new(200, CONTENT_TYPE, "")
}

/// Creates an error response: a 400, except for Cognito's internal error.
pub(crate) fn refusal(code: &str, message: &str) -> Answer {
    let status = if code == "InternalErrorException" { 500 } else { 400 };
    let answer = Answer::new(status, CONTENT_TYPE, json!({"__type": code, "message": message}).to_string());
    answer.with_text(ERROR_TYPE, &format!("{code}:"))
}

pub(crate) fn invalid_parameter(message: &str) -> Answer {
    refusal("InvalidParameterException", message)
}

pub(crate) fn no_such_pool() -> Answer {
    refusal("ResourceNotFoundException", "User pool does not exist.")
}

pub(crate) fn no_such_client() -> Answer {
    refusal("ResourceNotFoundException", "User pool client does not exist.")
}

pub(crate) fn no_such_user() -> Answer {
    refusal("UserNotFoundException", "User does not exist.")
}

pub(crate) fn not_authorized(message: &str) -> Answer {
    refusal("NotAuthorizedException", message)
}

/// Creates the error of a request that Cognito might accept but the connector has no reason to send.
pub(crate) fn unexpected_request(why: &str) -> Answer {
    refusal("SerializationException", &format!("the fake is stricter than Cognito: {why}"))
}
