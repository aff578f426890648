//! The one error of a call: a kind that says what the caller can do, and the rest for the log.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error.
///
/// The list is exhaustive on purpose: the server's table from kind to status is checked by the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such user. Never an outage, never a missing permission, never a missing realm.
    NotFound,
    /// Several users match, and none may be chosen.
    Ambiguous,
    /// The user is not what the caller assumed (another address, another writer).
    Conflict,
    /// The input can never be right for this identity provider.
    InvalidInput,
    /// Never possible with this identity provider and these settings.
    Unsupported,
    /// The user lacks something that the User model requires.
    Incomplete,
    /// Not possible for a user in this state.
    State,
    /// The token that the caller presented is not good, or no longer.
    InvalidToken,
    /// The identity provider refused our credentials.
    Unauthenticated,
    /// Our credentials lack a right.
    PermissionDenied,
    /// The identity provider asks to slow down.
    RateLimited,
    /// The identity provider cannot be reached or failed on its side.
    Unavailable,
    /// The deadline passed first.
    Timeout,
    /// The identity provider's answer makes no sense.
    InvalidResponse,
    /// The settings and the identity provider do not fit (no such realm, an undeclared attribute).
    Misconfigured,
    /// A fault of our own.
    Unexpected,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Decided by the bridge.
    Ours,
    /// Decided by the identity provider, or by the way to it.
    Upstream,
}

/// An error of a call.
///
/// `Display` is for the log: a sentence and context pairs, never an upstream body, an address, an id or a secret.
/// The [`hint`](Self::hint) stands apart, since people read it last, after the causes.
/// The platform sees only what the server makes of the kind.
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
    /// An error that the bridge itself decided on.
    pub fn ours(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::build(kind, Origin::Ours, message.into())
    }

    /// An error that the identity provider, or the way to it, caused.
    pub fn upstream(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::build(kind, Origin::Upstream, message.into())
    }

    /// A call that this provider does not support, with the reason that its capabilities name.
    pub fn unsupported(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::Unsupported, reason)
    }

    /// Settings that cannot be right, found without asking the identity provider.
    pub fn misconfigured(message: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::Misconfigured, message)
    }

    /// A presented token that is not good; the reason is for the log alone.
    pub fn invalid_token(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::InvalidToken, reason)
    }

    /// A user that is not there.
    pub fn no_such_user() -> Self {
        Self::ours(ErrorKind::NotFound, "no such user")
    }

    /// An answer about another user than the one asked for: of a cache or a proxy, or of a fault of the identity provider.
    pub fn another_user() -> Self {
        Self::upstream(
            ErrorKind::InvalidResponse,
            "the identity provider answered with another user than the one asked for",
        )
    }

    /// A user whose state does not allow the call.
    pub fn state(message: impl Into<Cow<'static, str>>) -> Self {
        Self::ours(ErrorKind::State, message)
    }

    /// A user that lacks `field`, which the User model or the call requires.
    pub fn incomplete(field: &'static str) -> Self {
        Self::ours(ErrorKind::Incomplete, "the user lacks a required field").with("field", field)
    }

    /// A waiter's own error about a failure that several waited for: as bad as that one, for the same reason, and mended alike.
    pub fn caused_by(cause: Arc<Self>, message: impl Into<Cow<'static, str>>) -> Self {
        cause.retold(message).with_source(cause)
    }

    /// The same in other words, without context and causes: where the error itself stays somewhere else.
    #[must_use]
    pub fn retold(&self, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::build(self.kind(), self.origin(), message.into());
        error.0.hint.clone_from(&self.0.hint);
        error.0.unanswered = self.0.unanswered;
        error.with_retry_after(self.retry_after())
    }

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

    /// The same with the next step of whoever operates the tenant. Like the message, it must be neither secret nor personal.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same with a context pair for the log. The value must be neither secret nor personal.
    ///
    /// The key `field` is special: the platform is told it (`customer`, `email`, `data.id` …).
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same with how long the identity provider asks to wait.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// Marks that the request got no answer: a connection failed or broke, or there was no time left.
    #[must_use]
    pub fn unanswered(mut self) -> Self {
        self.0.unanswered = true;
        self
    }

    /// Whether the request got no answer, so that the way to the identity provider is at fault and no setting of its own.
    pub fn is_unanswered(&self) -> bool {
        self.0.unanswered
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whose fault it is.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// The next step of whoever operates the tenant.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// How long the identity provider asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// A context pair's value.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.0.context.iter().find(|(own, _)| *own == key).map(|(_, value)| value.as_ref())
    }

    /// The sentence for the log, without context, causes and hint.
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
    fn display_reads_alone_and_keeps_the_cause_and_the_hint_apart() {
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
    fn everyone_who_waited_gets_the_same_reason_in_an_error_of_their_own() {
        let wait = Some(Duration::from_secs(7));
        let cause = Error::upstream(ErrorKind::RateLimited, "slow down").with_hint("wait").with_retry_after(wait);
        let cause = Arc::new(cause);
        let error = Error::caused_by(Arc::clone(&cause), "no token was given");
        assert_eq!((error.kind(), error.origin()), (ErrorKind::RateLimited, Origin::Upstream));
        assert_eq!((error.hint(), error.retry_after()), (Some("wait"), wait));
        assert_eq!((error.message(), error.source().unwrap().to_string()), ("no token was given", cause.to_string()));
    }
}
