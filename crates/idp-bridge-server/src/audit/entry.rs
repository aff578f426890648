//! The lines of the audit.

use jiff::Timestamp;
use serde::Serialize;

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuditEvent {
    /// The bridge started, or opened another file.
    Start,
    /// A write at the identity provider.
    Write,
    /// The end of a login.
    Logout,
}

/// A line, without the digest of the previous one.
///
/// A line has no email address, no customer and no token. A user is a keyed hash, equal to that of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AuditEntry {
    pub(crate) time: Timestamp,
    pub(crate) event: AuditEvent,
    /// The version of the program, for [`AuditEvent::Start`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'static str>,
    /// Whether the line before this one is incomplete, since the program ended while it was written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recovered: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<AuditedCall>,
}

/// The result of a call, as it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AuditedResult {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) outcome: &'static str,
}

impl Default for AuditedResult {
    /// Returns the result of a success.
    fn default() -> Self {
        Self { code: "ok", status: 200, outcome: "applied" }
    }
}

/// The call of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AuditedCall {
    pub(crate) request: String,
    pub(crate) tenant: String,
    pub(crate) connector: &'static str,
    pub(crate) surface: &'static str,
    /// The id of the key that signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The name of the REST token, or the client of the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) webhook: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<String>,
    pub(crate) call: &'static str,
    /// The hash of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(flatten)]
    pub(crate) result: AuditedResult,
    /// The status of the identity provider's last response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream_status: Option<u16>,
}

impl AuditEntry {
    /// Creates the first line of a file or of a process.
    pub(super) fn start(time: Timestamp, recovered: bool) -> Self {
        let version = Some(env!("CARGO_PKG_VERSION"));
        Self { time, event: AuditEvent::Start, version, recovered, call: None }
    }

    /// Creates the line of a call.
    pub(crate) fn new(time: Timestamp, event: AuditEvent, call: AuditedCall) -> Self {
        Self { time, event, version: None, recovered: false, call: Some(call) }
    }
}
