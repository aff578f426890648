//! The results of requests that several callers wait for.

use bytes::Bytes;
use idp_bridge_core::{TenantId, TokenIdentity, UserId};
use jiff::Timestamp;

use crate::digest::sha256_of_parts;
use crate::error::SharedFailure;

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
