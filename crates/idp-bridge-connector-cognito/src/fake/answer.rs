//! Cognito's answers: JSON 1.1, with the error's code in the body and in a header.

use idp_bridge_conformance::fake::Answer;
use idp_bridge_http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// A good answer.
pub(crate) fn good(body: &Value) -> Answer {
    Answer::new(200, CONTENT_TYPE, body.to_string())
}

/// The answer of an operation that has none.
pub(crate) fn nothing() -> Answer {
    Answer::new(200, CONTENT_TYPE, "")
}

/// A refusal. All of them are a 400, but for Cognito's own failure.
pub(crate) fn refusal(code: &str, message: &str) -> Answer {
    let status = if code == "InternalErrorException" { 500 } else { 400 };
    let answer = Answer::new(status, CONTENT_TYPE, json!({"__type": code, "message": message}).to_string());
    match HeaderValue::from_str(&format!("{code}:")) {
        Ok(code) => answer.with(ERROR_TYPE, code),
        Err(_) => answer,
    }
}

pub(crate) fn invalid_parameter(message: &str) -> Answer {
    refusal("InvalidParameterException", message)
}

pub(crate) fn no_such_pool() -> Answer {
    refusal("ResourceNotFoundException", "User pool does not exist.")
}

pub(crate) fn no_such_user() -> Answer {
    refusal("UserNotFoundException", "User does not exist.")
}

pub(crate) fn not_authorized(message: &str) -> Answer {
    refusal("NotAuthorizedException", message)
}

/// What the real one would answer somehow, and what no one may rely on.
pub(crate) fn stricter_than_cognito(why: &str) -> Answer {
    refusal("SerializationException", &format!("the fake is stricter than Cognito: {why}"))
}
