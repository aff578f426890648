//! The error of a call: a kind for the caller, and details for the log.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A result with [`Error`] as its error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error: the caller's possible reaction.
///
/// Deliberately exhaustive, so that the compiler checks the server's table from kinds to statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The user does not exist. Outages, missing permissions and missing realms have other kinds.
    NotFound,
    /// Several users match. The bridge chooses none of them.
    Ambiguous,
    /// The user differs from what the caller expects: another address, or another writer.
    Conflict,
    /// The input is never valid for this identity provider.
    InvalidInput,
    /// Not supported by this identity provider with these settings.
    Unsupported,
    /// The user lacks a field that the User model requires.
    Incomplete,
    /// Not possible for a user in this state.
    State,
    /// The presented token is invalid, expired or revoked.
    InvalidToken,
    /// The identity provider refused our credentials.
    Unauthenticated,
    /// Our credentials lack a right.
    PermissionDenied,
    /// The identity provider's rate limit is exceeded.
    RateLimited,
    /// The identity provider cannot be reached, or failed.
    Unavailable,
    /// The deadline passed.
    Timeout,
    /// The identity provider's response is malformed or unexpected.
    InvalidResponse,
    /// The settings do not match the identity provider, such as a realm that does not exist.
    Misconfigured,
    /// A bug in the bridge.
    Unexpected,
}

/// The side that caused an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The bridge.
    Ours,
    /// The identity provider, or the connection to it.
    Upstream,
}

/// An error of a call.
///
/// `Display` is for the log: a message and context pairs, without upstream bodies, addresses, ids and secrets.
/// The [`hint`](Self::hint) is separate, because reports print it after the causes.
/// The platform sees only the status and code of the kind.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    origin: Origin,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    unanswered: bool,
    context: Vec<(&'static str, Cow<'static, str>)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Creates an error that the bridge caused.
    pub fn ours(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::build(kind, Origin::Ours, message.into())
    }

    /// Creates an error that the identity provider, or the connection to it, caused.
    pub fn upstream(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::build(kind, Origin::Upstream, message.into())
    }

    /// Creates an `Unsupported` error with the reason that the capabilities declare.
    pub fn unsupported(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::Unsupported, reason)
    }

    /// Creates a `Misconfigured` error for invalid settings.
    pub fn misconfigured(message: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::Misconfigured, message)
    }

    /// Creates an `InvalidToken` error. Only the log contains the reason.
    pub fn invalid_token(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::InvalidToken, reason)
    }

    /// Creates the error of a missing user.
    pub fn no_such_user() -> Self {
        Self::ours(ErrorKind::NotFound, "no such user")
    }

    /// Creates the error of a response with another user, such as from a wrong cache.
    pub fn another_user() -> Self {
        let message = "the identity provider returned another user than the requested one";
        Self::upstream(ErrorKind::InvalidResponse, message)
    }

    /// Creates a `State` error with the state that prevents the call.
    pub fn state(message: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::State, message)
    }

    /// Creates an `Incomplete` error for a required field that the user lacks.
    pub fn incomplete(field: &'static str) -> Self {
        Self::ours(ErrorKind::Incomplete, "the user lacks a required field").with("field", field)
    }

    /// Creates an error for one of several callers that waited for the operation that failed with `cause`.
    pub fn caused_by(cause: Arc<Self>, message: impl Into<Cow<'static, str>>) -> Self {
        cause.with_message(message).with_source(cause)
    }

    /// Copies kind, origin, hint and retry hint into an error with this message, without context and source.
    #[must_use]
    pub fn with_message(&self, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::build(self.kind(), self.origin(), message.into());
        error.0.hint.clone_from(&self.0.hint);
        error.0.unanswered = self.0.unanswered;
        error.with_retry_after(self.retry_after())
    }

    // Cold, so that the compiler moves the code of errors away from that of successful calls.
    #[cold]
    fn build(kind: ErrorKind, origin: Origin, message: Cow<'static, str>) -> Self {
        Self(Box::new(Inner {
            kind,
            origin,
            message,
            hint: None,
            retry_after: None,
            unanswered: false,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Adds the next step for the tenant's operator. Must contain neither secrets nor personal data.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a context pair for the log. The value must contain neither secrets nor personal data.
    ///
    /// The value of the key `field` is also sent to the platform (`customer`, `email`, `data.id` …).
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Sets the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets how long the identity provider requires callers to wait.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// Marks that the request got no response: a connection failed or broke, or there was no time left.
    #[must_use]
    pub fn unanswered(mut self) -> Self {
        self.0.unanswered = true;
        self
    }

    /// Returns whether the request got no response, which points to the connection and not to the settings.
    pub fn is_unanswered(&self) -> bool {
        self.0.unanswered
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the side that caused the error.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// Returns the next step for the tenant's operator.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns how long the identity provider requires callers to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the value of a context pair.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.0.context.iter().find(|(own, _)| *own == key).map(|(_, value)| value.as_ref())
    }

    /// Returns the message, without context, causes and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            let open = if index == 0 { " (" } else { ", " };
            write!(f, "{open}{key}: {value}")?;
        }
        if self.0.context.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Error");
        all.field("kind", &self.0.kind).field("origin", &self.0.origin).field("message", &self.0.message);
        all.field("hint", &self.0.hint).field("retry_after", &self.0.retry_after).field("context", &self.0.context);
        all.field("source", &self.0.source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn display_has_neither_cause_nor_hint() {
        let error = Error::upstream(ErrorKind::Misconfigured, "no such realm")
            .with("status", "404")
            .with("step", "read user")
            .with_hint("check `realm`")
            .with_source(std::io::Error::other("cause"));
        assert_eq!(error.to_string(), "no such realm (status: 404, step: read user)");
        assert_eq!(error.source().unwrap().to_string(), "cause");
        assert_eq!((error.context("status"), error.hint()), (Some("404"), Some("check `realm`")));
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Misconfigured, Origin::Upstream));
    }

    #[test]
    fn waiting_callers_get_equal_errors() {
        let wait = Some(Duration::from_secs(7));
        let cause = Error::upstream(ErrorKind::RateLimited, "slow down").with_hint("wait").with_retry_after(wait);
        let cause = Arc::new(cause);
        let error = Error::caused_by(Arc::clone(&cause), "no token was given");
        assert_eq!((error.kind(), error.origin()), (ErrorKind::RateLimited, Origin::Upstream));
        assert_eq!((error.hint(), error.retry_after()), (Some("wait"), wait));
        assert_eq!((error.message(), error.source().unwrap().to_string()), ("no token was given", cause.to_string()));
    }
}
