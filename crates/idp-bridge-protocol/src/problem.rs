//! Errors on the wire: `application/problem+json` (RFC 9457) with a code.

use std::borrow::Cow;

use idp_bridge_core::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error on the wire. Contains no upstream text, secret, address or token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The code in words.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// One of [`Code`], or a new code of a later version.
    pub code: Cow<'static, str>,
    /// Whether an identical call may succeed later.
    pub retryable: bool,
    /// Whether a write may have taken effect.
    pub outcome: ProblemOutcome,
    /// The id of this call in the bridge's log.
    pub request_id: String,
    /// The invalid member of the request, or the missing field of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// Creates a problem. The server chooses the status.
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
    /// The write did not take effect.
    NotApplied,
    /// The write may have taken effect.
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
        /// The code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $title, ".")] $name,)*
        }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the text on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the code in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Returns whether an identical call may succeed later.
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
    UpstreamInvalidResponse = "upstream_invalid_response", "The identity provider's response is invalid", retry false;
    UpstreamRateLimited = "upstream_rate_limited", "The identity provider limits the rate of requests", retry true;
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
    fn wire_form_is_as_documented() {
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
    fn unknown_code_is_kept() {
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
