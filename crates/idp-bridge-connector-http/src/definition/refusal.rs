//! The meaning of unsuccessful answers: `[[errors]]`.

use idp_bridge_core::ErrorKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::select::Check;
use crate::text_or::OneOrMany;

/// The meaning of an unsuccessful response.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorRule {
    /// The calls that the rule is for, such as `delete`; `auth` for logins and token requests.
    pub(crate) call: Option<OneOrMany<String>>,
    /// The number of the step, from 1.
    pub(crate) step: Option<usize>,
    /// The statuses.
    pub(crate) status: Option<OneOrMany<u16>>,
    /// Conditions on the JSON of the answer. All must hold.
    #[serde(default)]
    pub(crate) when: Vec<Check>,
    /// A part of a body that is not JSON.
    pub(crate) text: Option<String>,
    /// Whether the body is empty.
    #[serde(default)]
    pub(crate) empty_body: bool,
    /// The kind of the error.
    pub(crate) kind: RefusalKind,
    /// A description of the error, for the log.
    pub(crate) message: String,
    /// The next step for the tenant's operator.
    pub(crate) hint: Option<String>,
}

/// The kinds of errors that a rule can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalKind {
    NotFound,
    Conflict,
    State,
    Unsupported,
    Unauthenticated,
    PermissionDenied,
    Misconfigured,
    RateLimited,
    Unavailable,
    InvalidResponse,
}

impl From<RefusalKind> for ErrorKind {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::NotFound => Self::NotFound,
            RefusalKind::Conflict => Self::Conflict,
            RefusalKind::State => Self::State,
            RefusalKind::Unsupported => Self::Unsupported,
            RefusalKind::Unauthenticated => Self::Unauthenticated,
            RefusalKind::PermissionDenied => Self::PermissionDenied,
            RefusalKind::Misconfigured => Self::Misconfigured,
            RefusalKind::RateLimited => Self::RateLimited,
            RefusalKind::Unavailable => Self::Unavailable,
            RefusalKind::InvalidResponse => Self::InvalidResponse,
        }
    }
}
