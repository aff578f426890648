//! The mapping from errors to codes and statuses, and the problems that callers receive.
//!
//! An [`ErrorKind`] becomes a [`Code`], and a code becomes a status. Both tables are exhaustive matches, so that a new kind
//! or code does not compile without an entry. Statuses of errors are chosen in this file only.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use idp_bridge_core::{Error, ErrorKind, Origin, Outcome};
use idp_bridge_protocol::{Code, EnvelopeError, MEDIA_TYPE, Problem, SignatureError};
use serde::{Deserialize, Serialize};

use crate::response::{self, Response};

/// A failed call.
#[derive(Debug)]
pub struct Failure {
    /// The cause.
    pub error: Error,
    /// Whether a write may have taken effect.
    pub outcome: Outcome,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

/// A failure that several callers receive.
#[derive(Debug, Clone)]
pub(crate) struct SharedFailure {
    pub(crate) error: Arc<Error>,
    pub(crate) outcome: Outcome,
}

impl SharedFailure {
    /// Creates the failure of a caller at its deadline.
    pub(crate) fn timed_out(outcome: Outcome) -> Self {
        let error = Error::ours(ErrorKind::Timeout, "the identity provider did not answer in time");
        Self { error: error.into(), outcome }
    }

    /// Creates the failure of a request that panicked.
    pub(crate) fn panicked() -> Self {
        let error = Error::ours(ErrorKind::Unexpected, "the request broke off");
        Self { error: error.into(), outcome: Outcome::Unknown }
    }
}

impl From<Error> for SharedFailure {
    fn from(error: Error) -> Self {
        Self { error: error.into(), outcome: Outcome::NotApplied }
    }
}

impl From<Failure> for SharedFailure {
    fn from(Failure { error, outcome }: Failure) -> Self {
        Self { error: error.into(), outcome }
    }
}

/// The error response to a request.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    code: Code,
    outcome: Outcome,
    field: Option<Cow<'static, str>>,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    challenge: Option<&'static str>,
}

impl Refusal {
    /// Creates a refusal of a request that changed nothing.
    //
    // Cold, so that the compiler moves the code of refusals away from that of successful requests.
    #[cold]
    pub(crate) fn new(code: Code) -> Self {
        let challenge = (code == Code::InvalidToken).then_some("Bearer");
        let outcome = Outcome::NotApplied;
        Self { code, outcome, field: None, detail: None, retry_after: None, allow: None, challenge }
    }

    /// Creates the refusal of an invalid token (RFC 6750, section 3.1). A request without a token gets no `error` parameter.
    pub(crate) fn bad_token() -> Self {
        Self { challenge: Some("Bearer error=\"invalid_token\""), ..Self::new(Code::InvalidToken) }
    }

    /// Creates the refusal of a valid token that lacks a scope (RFC 6750, section 3.1).
    pub(crate) fn insufficient_scope() -> Self {
        Self { challenge: Some("Bearer error=\"insufficient_scope\""), ..Self::new(Code::Forbidden) }
    }

    /// Creates the refusal of an invalid member, header or path segment. `detail` must not contain its value.
    pub(crate) fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), detail: Some(detail.into()), ..Self::new(Code::InvalidRequest) }
    }

    /// Creates the refusal of a method that the path does not have.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// Sets the sentence for the caller. It must contain neither personal data nor upstream text.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets whether a write may have taken effect.
    #[must_use]
    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Returns the code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Returns the sentence for the caller.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns whether a write may have taken effect.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns the HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        status(self.code)
    }

    /// Builds the response.
    pub(crate) fn into_response(self, request_id: &str) -> Response {
        let status = self.status();
        let problem = Problem {
            field: self.field.map(Cow::into_owned),
            detail: self.detail.map(Cow::into_owned),
            ..Problem::new(self.code, status.as_u16(), self.outcome, request_id)
        };
        let mut response = response::new(response::to_json(&problem), HeaderValue::from_static(MEDIA_TYPE));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if is_temporary(status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after(self.code, self.retry_after)));
        }
        // Unread bytes of such a request must not be parsed as the next one.
        if matches!(self.code, Code::RequestTimeout | Code::TooLarge | Code::ShuttingDown) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Creates the refusal for an error.
    pub(crate) fn from_error(error: &Error, outcome: Outcome) -> Self {
        // The message of an unsupported call is written for callers. Every other message is for the log only.
        let detail = (error.kind() == ErrorKind::Unsupported).then(|| error.message().to_owned().into());
        let bare = match code(error) {
            Code::InvalidToken => Self::bad_token(),
            code => Self::new(code),
        };
        Self {
            outcome,
            field: error.context("field").map(|field| field.to_owned().into()),
            detail,
            retry_after: error.retry_after(),
            ..bare
        }
    }
}

/// The parts of a refusal that another replica needs to repeat it.
#[derive(Serialize, Deserialize)]
struct SharedRefusal {
    code: String,
    is_unknown: bool,
    field: Option<String>,
    detail: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Encodes the refusal of a write for other replicas.
    pub(crate) fn to_shared(&self) -> Bytes {
        response::to_json(&SharedRefusal {
            code: self.code.as_str().to_owned(),
            is_unknown: self.outcome == Outcome::Unknown,
            field: self.field.as_deref().map(str::to_owned),
            detail: self.detail.as_deref().map(str::to_owned),
            retry_after: self.retry_after,
        })
    }

    /// Decodes the refusal of a write on another replica. Returns `None` if this version does not know its code.
    pub(crate) fn from_shared(bytes: &[u8]) -> Option<Self> {
        let SharedRefusal { code, is_unknown, field, detail, retry_after } = serde_json::from_slice(bytes).ok()?;
        let code = Code::ALL.iter().copied().find(|known| known.as_str() == code)?;
        let outcome = if is_unknown { Outcome::Unknown } else { Outcome::NotApplied };
        let (field, detail) = (field.map(Cow::Owned), detail.map(Cow::Owned));
        Some(Self { outcome, field, detail, retry_after, ..Self::new(code) })
    }
}

/// A refusal, and the error behind it for the log.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) refusal: Refusal,
    pub(crate) cause: Option<Arc<Error>>,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, cause: None }
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        SharedFailure::from(error).into()
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        SharedFailure::from(failure).into()
    }
}

impl From<SharedFailure> for Rejection {
    fn from(failure: SharedFailure) -> Self {
        Self { refusal: Refusal::from_error(&failure.error, failure.outcome), cause: Some(failure.error) }
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::new(match error {
            SignatureError::Invalid => Code::InvalidSignature,
            SignatureError::TimestampOutOfRange => Code::TimestampOutOfRange,
        })
    }
}

impl From<EnvelopeError> for Refusal {
    fn from(error: EnvelopeError) -> Self {
        let code = match error {
            EnvelopeError::UnknownOperation => Code::UnknownOperation,
            EnvelopeError::Json(_) | EnvelopeError::Member { .. } => Code::InvalidRequest,
        };
        Self { field: error.field().map(Cow::from), ..Self::new(code) }.with_detail(error.to_string())
    }
}

/// Returns the code for an error.
pub(crate) fn code(error: &Error) -> Code {
    let ours = error.origin() == Origin::Ours;
    match error.kind() {
        ErrorKind::NotFound => Code::UserNotFound,
        ErrorKind::Ambiguous => Code::AmbiguousUser,
        ErrorKind::Conflict => Code::UserConflict,
        ErrorKind::InvalidInput => Code::InvalidRequest,
        ErrorKind::Unsupported => Code::NotSupported,
        ErrorKind::Incomplete => Code::UserIncomplete,
        ErrorKind::State => Code::UserState,
        ErrorKind::InvalidToken => Code::InvalidToken,
        ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => Code::UpstreamUnauthorized,
        ErrorKind::RateLimited if ours => Code::RateLimited,
        ErrorKind::RateLimited => Code::UpstreamRateLimited,
        ErrorKind::Unavailable if ours => Code::Overloaded,
        ErrorKind::Unavailable => Code::UpstreamUnavailable,
        ErrorKind::Timeout => Code::DeadlineExceeded,
        ErrorKind::InvalidResponse => Code::UpstreamInvalidResponse,
        ErrorKind::Misconfigured => Code::Misconfigured,
        ErrorKind::Unexpected => Code::Internal,
    }
}

/// Returns the status for a code.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidRequest | Code::UnknownOperation => StatusCode::BAD_REQUEST,
        Code::InvalidSignature | Code::TimestampOutOfRange | Code::InvalidToken => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::UserNotFound | Code::RouteNotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::AmbiguousUser | Code::UserConflict | Code::UserIncomplete | Code::UserState | Code::RequestInProgress => {
            StatusCode::CONFLICT
        }
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UriTooLong => StatusCode::URI_TOO_LONG,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::WebhookIdReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::NotSupported => StatusCode::NOT_IMPLEMENTED,
        Code::UpstreamUnauthorized | Code::Misconfigured | Code::UpstreamInvalidResponse => StatusCode::BAD_GATEWAY,
        Code::UpstreamRateLimited | Code::UpstreamUnavailable | Code::Overloaded | Code::ShuttingDown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}

fn is_temporary(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// Returns the value of `retry-after`: seconds, rounded up, from 1 to 300.
///
/// The upper bound protects the platform from an extreme value of an identity provider. It is an hour for the bridge's
/// own limits.
fn retry_after(code: Code, requested: Option<Duration>) -> u64 {
    let requested = requested.unwrap_or_default();
    let whole = requested.as_secs().saturating_add(u64::from(requested.subsec_nanos() > 0));
    whole.clamp(1, if code == Code::RateLimited { 3600 } else { 300 })
}

#[cfg(test)]
mod tests;
