//! The errors of a call.

use std::time::Duration;

use http::StatusCode;
use idp_bridge_protocol::Problem;

/// An error of a call. Contains no secret, address or body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The settings of the client are invalid.
    #[error("{reason}")]
    Settings {
        /// The reason and the next step.
        reason: &'static str,
        /// The cause, if there is one.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The bridge returned an error.
    #[error("{}", describe(problem))]
    Problem {
        /// The error.
        problem: Box<Problem>,
        /// The time to wait before a retry.
        retry_after: Option<Duration>,
    },
    /// The response is not a bridge's. Another server or a proxy sent it.
    #[error("the answer (status {}) is not from a bridge", status.as_u16())]
    UnexpectedResponse {
        /// The status of the response.
        status: StatusCode,
    },
    /// The response is larger than [`MAX_ANSWER`](crate::MAX_ANSWER).
    #[error("the answer is larger than 256 KiB")]
    TooLarge,
    /// The call timed out. A write may have taken effect.
    #[error("the bridge did not answer in time")]
    Timeout,
    /// The bridge could not be reached, or the connection broke.
    #[error("{}", if *.sent { "the connection broke before the answer" } else { "the bridge cannot be reached" })]
    Transport {
        /// Whether the bridge may have received the call.
        sent: bool,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ClientError {
    /// Returns whether a retry with an unchanged id may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Problem { problem, .. } => problem.retryable,
            Self::UnexpectedResponse { status } => status.is_server_error(),
            Self::Timeout | Self::Transport { .. } => true,
            Self::Settings { .. } | Self::TooLarge => false,
        }
    }

    /// Returns the error of the bridge, if it returned one.
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
