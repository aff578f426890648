//! The only place that chooses the status of an error.
//!
//! A kind of the core becomes a code of the wire, and a code becomes a status. Both tables are exhaustive matches, so a
//! new kind or code does not compile until it is decided here.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use idp_bridge_core::{Error, ErrorKind, Origin, Outcome};
use idp_bridge_protocol::{Code, EnvelopeError, MEDIA_TYPE, Problem, SignatureError};

use crate::dispatch::Failure;
use crate::response::{self, Response};

/// What the platform is told instead of a success.
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
    /// A refusal that changed nothing.
    pub(crate) fn new(code: Code) -> Self {
        let challenge = (code == Code::InvalidToken).then_some("Bearer");
        let outcome = Outcome::NotApplied;
        Self { code, outcome, field: None, detail: None, retry_after: None, allow: None, challenge }
    }

    /// A token that was presented and is not good (RFC 6750, section 3.1). Without a token there is no error to name.
    pub(crate) fn bad_token() -> Self {
        Self { challenge: Some("Bearer error=\"invalid_token\""), ..Self::new(Code::InvalidToken) }
    }

    /// A good token that does not allow what is asked for (RFC 6750, section 3.1).
    pub(crate) fn insufficient_scope() -> Self {
        Self { challenge: Some("Bearer error=\"insufficient_scope\""), ..Self::new(Code::Forbidden) }
    }

    /// A request with a wrong member, header or path segment; `detail` must not hold its value.
    pub(crate) fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), detail: Some(detail.into()), ..Self::new(Code::InvalidRequest) }
    }

    /// A method that this path does not have.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// The same with a sentence for the caller, which must hold neither personal nor upstream text.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same of a write that may have taken effect.
    #[must_use]
    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// What the caller switches on.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The sentence for the caller.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Whether a write may have taken effect.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        status(self.code)
    }

    /// The answer on the wire.
    pub(crate) fn into_response(self, request_id: &str) -> Response {
        let status = self.status();
        let problem = Problem {
            field: self.field.map(Cow::into_owned),
            detail: self.detail.map(Cow::into_owned),
            ..Problem::new(self.code, status.as_u16(), self.outcome, request_id)
        };
        let mut answer = response::new(response::to_json(&problem), HeaderValue::from_static(MEDIA_TYPE));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if is_temporary(status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after(self.code, self.retry_after)));
        }
        // What is left of such a request must not be taken for the next one.
        if matches!(self.code, Code::RequestTimeout | Code::TooLarge | Code::ShuttingDown) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Self {
        Self::from_error(&failure.error, failure.outcome)
    }
}

impl Refusal {
    /// The refusal that an error becomes.
    pub(crate) fn from_error(error: &Error, outcome: Outcome) -> Self {
        // The reason of an unsupported call is the connector's own sentence; every other message is for the log.
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

/// From what the caller can do to what the caller switches on.
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

/// From what the caller switches on to the status.
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

/// Whole seconds, rounded up, from 1 to 300: an identity provider's odd value must not stop a platform for a day. The bridge's own
/// limits are by the hour.
fn retry_after(code: Code, asked: Option<Duration>) -> u64 {
    let asked = asked.unwrap_or_default();
    let whole = asked.as_secs().saturating_add(u64::from(asked.subsec_nanos() > 0));
    whole.clamp(1, if code == Code::RateLimited { 3600 } else { 300 })
}

#[cfg(test)]
mod tests;
