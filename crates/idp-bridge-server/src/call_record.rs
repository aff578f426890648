//! A finished request to a tenant: the entry of the list of the last calls, and the source of a trace.
//!
//! It contains no personal data and no secrets. A user is a keyed hash.

use std::time::Duration;

use http::Method;
use idp_bridge_core::Step;
use jiff::Timestamp;
use serde::Serialize;

/// A finished request to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallRecord {
    /// The request id, which the response contains, too.
    pub request_id: String,
    /// The time at which the request began.
    pub time: Timestamp,
    /// The time from the request's head to the response.
    #[serde(rename = "duration_us", serialize_with = "serialize_micros")]
    pub duration: Duration,
    /// The tenant of the path, which may not exist.
    pub tenant: String,
    /// The type of the tenant's connector. `None` if the tenant does not exist, or the signature is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<&'static str>,
    /// The method of the request.
    #[serde(serialize_with = "serialize_method")]
    pub method: Method,
    /// The path of the request with names instead of values.
    pub route: &'static str,
    /// The interface, such as `webhook` or `rest`.
    pub surface: &'static str,
    /// The call, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<&'static str>,
    /// `ok`, the code of the problem, or `abandoned` if the caller disconnected.
    pub code: &'static str,
    /// The status of the response. 0 if the caller disconnected.
    pub status: u16,
    /// Whether a failed write may have taken effect: `not_applied` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// Whether the response is that of an earlier write with an equal key.
    #[serde(skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// The hash of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_hash: Option<String>,
    /// The platform's id of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
    /// The id of the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The error with its causes, as in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The next step that the error names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The steps, in the order in which they began.
    pub steps: Vec<Step>,
}

fn serialize_micros<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn serialize_method<S: serde::Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
