//! Why there is no positive answer.

use std::time::Duration;

use http::StatusCode;
use idp_bridge_protocol::Problem;

/// Why there is no positive answer. It never holds a secret, an address or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The client cannot be made from these settings.
    #[error("{reason}")]
    Settings {
        /// What is wrong, with what would be right.
        reason: &'static str,
        /// What it comes from, if it comes from something.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The bridge answered an error.
    #[error("{}", describe(problem))]
    Problem {
        /// The error.
        problem: Box<Problem>,
        /// How long the bridge asks to wait.
        retry_after: Option<Duration>,
    },
    /// What answered is no bridge, or something in between answered for it.
    #[error("the answer (status {}) is none of a bridge", status.as_u16())]
    UnexpectedResponse {
        /// The status that it answered.
        status: StatusCode,
    },
    /// The answer is larger than [`MAX_ANSWER`](crate::MAX_ANSWER).
    #[error("the answer is larger than 256 KiB")]
    TooLarge,
    /// The call did not end in time; a write may have taken effect.
    #[error("there was no answer in time")]
    Timeout,
    /// The bridge could not be reached, or the connection broke.
    #[error("{}", if *.sent { "the connection broke before the answer" } else { "the bridge cannot be reached" })]
    Transport {
        /// Whether the call may have reached the bridge.
        sent: bool,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ClientError {
    /// Whether the same call may succeed later, sent again with the same id.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Problem { problem, .. } => problem.retryable,
            Self::UnexpectedResponse { status } => status.is_server_error(),
            Self::Timeout | Self::Transport { .. } => true,
            Self::Settings { .. } | Self::TooLarge => false,
        }
    }

    /// The bridge's own error, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    pub(crate) fn settings(reason: &'static str) -> Self {
        Self::Settings { reason, source: None }
    }

    pub(crate) fn from_reqwest(error: reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            return Self::Timeout;
        }
        Self::Transport { sent: !error.is_connect(), source: Box::new(error.without_url()) }
    }
}

fn describe(problem: &Problem) -> String {
    let Problem { title, status, code, .. } = problem;
    format!("{title} (status {status}, code `{code}`)")
}
