//! Errors on the wire: `application/problem+json` (RFC 9457) with a code to switch on.

use std::borrow::Cow;

use idp_bridge_core::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error on the wire. It holds no upstream text, no secret, no address and no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Always `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The code in words.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What to switch on: one of [`Code`]; a newer bridge may know more.
    pub code: Cow<'static, str>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether a write may have taken effect.
    pub outcome: ProblemOutcome,
    /// The id of this call in the bridge's log.
    pub request_id: String,
    /// The member that is wrong, or the field that the user lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// A problem with this code; status is the server's to choose.
    pub fn new(code: Code, status: u16, outcome: Outcome, request_id: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".into(),
            title: code.title().into(),
            status,
            code: code.as_str().into(),
            retryable: code.is_retryable(),
            outcome: outcome.into(),
            request_id: request_id.into(),
            field: None,
            detail: None,
        }
    }
}

/// Whether a write may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemOutcome {
    /// It did not.
    NotApplied,
    /// It may have.
    Unknown,
}

impl From<Outcome> for ProblemOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NotApplied => Self::NotApplied,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal, $title:literal, retry $retry:literal;)*) => {
        /// What a client switches on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $title, ".")] $name,)*
        }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The text on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The code in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Whether the same call may succeed later.
            pub fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", "The request is not valid", retry false;
    UnknownOperation = "unknown_operation", "The operation is not known", retry false;
    InvalidSignature = "invalid_signature", "The signature is not valid", retry false;
    TimestampOutOfRange = "timestamp_out_of_range", "The call was signed at another time", retry false;
    InvalidToken = "invalid_token", "The token is not valid", retry false;
    Forbidden = "forbidden", "The operation is not allowed", retry false;
    UserNotFound = "user_not_found", "User not found", retry false;
    RouteNotFound = "route_not_found", "No such path", retry false;
    MethodNotAllowed = "method_not_allowed", "The method is not allowed here", retry false;
    RequestTimeout = "request_timeout", "The request came too slowly", retry true;
    AmbiguousUser = "ambiguous_user", "Several users match", retry false;
    UserConflict = "user_conflict", "The user is not as the request assumes", retry false;
    UserIncomplete = "user_incomplete", "The user lacks a required field", retry false;
    UserState = "user_state", "Not possible for a user in this state", retry false;
    RequestInProgress = "request_in_progress", "The same request is still running", retry true;
    TooLarge = "too_large", "The body is too large", retry false;
    UriTooLong = "uri_too_long", "The path is too long", retry false;
    UnsupportedMediaType = "unsupported_media_type", "The media type is not supported", retry false;
    WebhookIdReused = "webhook_id_reused", "The id was used for another request", retry false;
    RateLimited = "rate_limited", "Too many requests", retry true;
    HeadersTooLarge = "headers_too_large", "The headers are too large", retry false;
    Internal = "internal", "Internal error", retry true;
    NotSupported = "not_supported", "Not possible with this identity provider", retry false;
    UpstreamUnauthorized = "upstream_unauthorized", "The identity provider refused the bridge", retry false;
    Misconfigured = "misconfigured", "The tenant's settings do not fit its identity provider", retry false;
    UpstreamInvalidResponse = "upstream_invalid_response", "The identity provider's answer makes no sense", retry false;
    UpstreamRateLimited = "upstream_rate_limited", "The identity provider asks to slow down", retry true;
    UpstreamUnavailable = "upstream_unavailable", "The identity provider is not available", retry true;
    Overloaded = "overloaded", "The bridge is overloaded", retry true;
    ShuttingDown = "shutting_down", "The bridge is shutting down", retry true;
    DeadlineExceeded = "deadline_exceeded", "The call did not end in time", retry true;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wire_form_is_the_documented_one() {
        let problem = Problem::new(Code::UserNotFound, 404, Outcome::NotApplied, "r-1");
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            json!({
                "type": "about:blank", "title": "User not found", "status": 404, "code": "user_not_found",
                "retryable": false, "outcome": "not_applied", "request_id": "r-1"
            })
        );
    }

    #[test]
    fn a_code_of_a_newer_bridge_is_read_as_it_is() {
        let problem: Problem = serde_json::from_value(json!({
            "type": "about:blank", "title": "New", "status": 409, "code": "brand_new",
            "retryable": true, "outcome": "unknown", "request_id": "r-1", "more": 1
        }))
        .unwrap();
        assert_eq!((problem.code.as_ref(), problem.retryable), ("brand_new", true));
    }

    #[test]
    fn codes_are_distinct() {
        let distinct: std::collections::HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(distinct.len(), Code::ALL.len());
    }
}
