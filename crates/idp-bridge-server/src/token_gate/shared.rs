//! The results of requests that several callers wait for.

use std::sync::Arc;

use bytes::Bytes;
use idp_bridge_core::{Error, ErrorKind, Outcome, TenantId, TokenIdentity, UserId};
use jiff::Timestamp;

use crate::digest::sha256_of_parts;
use crate::error::{Refusal, Rejection};

/// The userinfo response for a validated token.
pub(crate) struct CachedUserinfo {
    pub(crate) identity: TokenIdentity,
    pub(crate) body: Bytes,
    /// A warning for the operator.
    pub(crate) note: Option<&'static str>,
    /// The time until which the response may be reused. `None` if each request is validated.
    pub(crate) fresh_until: Option<Timestamp>,
}

/// Identifies a logout: the tenant, and a digest of all presented tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LogoutKey {
    tenant: TenantId,
    pub(crate) sha256: [u8; 32],
}

impl LogoutKey {
    /// Creates the key of a logout with these tokens.
    pub(crate) fn new(tenant: &TenantId, tokens: &[&str]) -> Self {
        let parts: Vec<_> = tokens.iter().map(|token| token.as_bytes()).collect();
        Self { tenant: tenant.clone(), sha256: sha256_of_parts(&parts) }
    }
}

/// The result of a logout, and its user as far as known.
#[derive(Debug, Clone)]
pub(crate) struct LogoutOutcome {
    pub(crate) user: Option<UserId>,
    pub(crate) result: Result<(), SharedFailure>,
}

impl LogoutOutcome {
    /// Creates the outcome of a logout that failed before its user was known.
    pub(crate) fn failed(failure: SharedFailure) -> Self {
        Self { user: None, result: Err(failure) }
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

impl From<SharedFailure> for Rejection {
    fn from(failure: SharedFailure) -> Self {
        Self { refusal: Refusal::from_error(&failure.error, failure.outcome), cause: Some(failure.error) }
    }
}
