//! The answers that the protocol requires.

use idp_bridge_client::{Code, Problem, RawAnswer};
use serde_json::Value;

/// The media type of problems.
const PROBLEM: &str = "application/problem+json";

/// The answer that the protocol requires.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// The answer to a `ping`.
    Pong,
    /// A problem with this status and code.
    Problem(u16, Code),
}

impl Expected {
    /// Returns the differences from this answer.
    pub(super) fn compare(&self, answer: &RawAnswer) -> Vec<String> {
        match self {
            Self::Pong => compare_pong(answer),
            Self::Problem(status, code) => compare_problem(answer, *status, *code),
        }
    }
}

fn compare_pong(answer: &RawAnswer) -> Vec<String> {
    let body = match read_body(answer) {
        Ok(body) => body,
        Err(mistake) => return vec![mistake],
    };
    let mut mistakes = Vec::new();
    if body.get("protocol") != Some(&Value::from(1)) {
        mistakes.push("`protocol` is not 1".into());
    }
    if !body.get("connector").is_some_and(Value::is_string) {
        mistakes.push("`connector` is not a text".into());
    }
    if !body.get("capabilities").is_some_and(Value::is_object) {
        mistakes.push("`capabilities` is not an object".into());
    }
    mistakes
}

/// Returns the body of a success.
pub(super) fn read_body(answer: &RawAnswer) -> Result<Value, String> {
    if answer.status != 200 || media_type(answer) != "application/json" {
        return Err(format!("expected 200 `application/json`, got {}", describe(answer)));
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| "the body is not JSON".to_owned())?;
    if body.is_object() { Ok(body) } else { Err("the body is not a JSON object".into()) }
}

fn compare_problem(answer: &RawAnswer, status: u16, code: Code) -> Vec<String> {
    let code = code.as_str();
    if answer.status != status || read_code(answer).as_deref() != Some(code) {
        return vec![format!("expected {status} `{code}`, got {}", describe(answer))];
    }
    check_document(answer)
}

/// Returns the code of a problem.
pub(super) fn read_code(answer: &RawAnswer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    body.get("code")?.as_str().map(str::to_owned)
}

/// Returns the faults in the form of a problem.
fn check_document(answer: &RawAnswer) -> Vec<String> {
    let mut mistakes = Vec::new();
    if media_type(answer) != PROBLEM {
        mistakes.push(format!("the media type of a problem is `{PROBLEM}`, got `{}`", media_type(answer)));
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
        mistakes.push(
            "a problem has `type`, `title`, `status`, `code`, `retryable`, `outcome` and `request_id`".to_owned(),
        );
        return mistakes;
    };
    if problem.kind != "about:blank" {
        mistakes.push("`type` of a problem is not `about:blank`".into());
    }
    if problem.status != answer.status {
        mistakes.push(format!("`status` of the problem is {}, the response's is {}", problem.status, answer.status));
    }
    let known = Code::ALL.iter().find(|code| code.as_str() == problem.code);
    if known.is_some_and(|code| code.is_retryable() != problem.retryable) {
        mistakes.push(format!("`retryable` of `{}` is not {}", problem.code, problem.retryable));
    }
    if problem.request_id.is_empty() {
        mistakes.push("`request_id` is empty".into());
    }
    if answer.header("cache-control") != Some("no-store") {
        mistakes.push("a problem has the header `cache-control: no-store`".into());
    }
    mistakes
}

/// Describes an answer without its body, which may have personal data.
pub(super) fn describe(answer: &RawAnswer) -> String {
    match (read_code(answer), media_type(answer)) {
        (Some(code), _) if Code::ALL.iter().any(|known| known.as_str() == code) => {
            format!("{} `{code}`", answer.status)
        }
        (_, "") => format!("{} without a media type", answer.status),
        (_, media_type) => format!("{} `{media_type}`", answer.status),
    }
}

/// Returns the media type without parameters.
fn media_type(answer: &RawAnswer) -> &str {
    answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim()
}
