//! The possible errors of each operation, by status.

use std::collections::BTreeMap;

use idp_bridge_protocol::{Code, MEDIA_TYPE};
use serde_json::{Map, Value, json};

use super::parts::reference;
use crate::error;

/// A group of operations with equal possible errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationGroup {
    /// A signed call.
    Webhook,
    /// A get through REST.
    RestRead,
    /// A write through REST.
    RestWrite,
    /// Userinfo.
    Userinfo,
    /// A logout by an application.
    Logout,
    /// A logout notice from an identity provider.
    BackchannelLogout,
    /// The federation document.
    FederationDocument,
    /// `/readyz`.
    Readiness,
}

impl OperationGroup {
    fn has_error(self, code: Code) -> bool {
        match self {
            Self::Readiness => code == Code::ShuttingDown,
            Self::Webhook | Self::RestRead | Self::RestWrite => self.has_call_error(code),
            Self::Userinfo | Self::Logout | Self::BackchannelLogout | Self::FederationDocument => {
                self.has_federation_error(code)
            }
        }
    }

    fn has_federation_error(self, code: Code) -> bool {
        let (userinfo, logout) = (self == Self::Userinfo, self == Self::Logout);
        let document = self == Self::FederationDocument;
        match code {
            Code::UriTooLong | Code::Internal | Code::ShuttingDown | Code::DeadlineExceeded => true,
            Code::UpstreamUnauthorized | Code::UpstreamInvalidResponse | Code::Misconfigured => true,
            Code::UpstreamRateLimited | Code::UpstreamUnavailable => true,
            Code::InvalidRequest | Code::UnsupportedMediaType | Code::TooLarge => !document,
            Code::RequestTimeout | Code::Overloaded => !document,
            Code::InvalidToken | Code::RateLimited => userinfo || logout,
            Code::UserIncomplete => userinfo,
            Code::NotSupported => logout,
            Code::RouteNotFound => document,
            _ => false,
        }
    }

    fn has_call_error(self, code: Code) -> bool {
        let (rest, read) = (matches!(self, Self::RestRead | Self::RestWrite), self == Self::RestRead);
        match code {
            // Errors of other paths and methods, and of the HTTP parser.
            Code::RouteNotFound | Code::MethodNotAllowed | Code::HeadersTooLarge => false,
            Code::InvalidSignature | Code::TimestampOutOfRange | Code::UnknownOperation => !rest,
            Code::InvalidToken => rest,
            Code::WebhookIdReused | Code::RequestInProgress | Code::UserConflict | Code::UserState => !read,
            _ => true,
        }
    }
}

/// Returns the responses for the possible errors, by status.
pub(super) fn responses(group: OperationGroup) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in Code::ALL.iter().copied().filter(|code| group.has_error(*code)) {
        by_status.entry(error::status(code).as_u16()).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(status, &codes))).collect()
}

/// Returns the headers of every response.
pub(super) fn headers() -> Map<String, Value> {
    let id = json!({"description": "The id of this call in the bridge's log.", "schema": {"type": "string"}});
    [("x-request-id".to_owned(), id)].into_iter().collect()
}

fn response(status: u16, codes: &[Code]) -> Value {
    let lines: Vec<_> = codes
        .iter()
        .map(|code| {
            let retry = if code.is_retryable() { " (may succeed later)" } else { "" };
            format!("- `{}`: {}{retry}", code.as_str(), code.title())
        })
        .collect();
    let mut headers = headers();
    if matches!(status, 429 | 503) {
        let max = if status == 429 { 3600 } else { 300 };
        let about = format!("The time to wait in seconds, from 1 to {max}.");
        headers.insert("retry-after".into(), json!({"description": about, "schema": {"type": "integer"}}));
    }
    if status == 401 && codes.contains(&Code::InvalidToken) {
        headers.insert("www-authenticate".into(), json!({"schema": {"type": "string", "pattern": "^Bearer"}}));
    }
    json!({
        "description": lines.join("\n"),
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": reference("schemas", "Problem")}}
    })
}
