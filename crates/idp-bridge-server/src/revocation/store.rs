//! The interface of a revocation store.

use std::fmt;

use idp_bridge_core::{Result, SessionId, TenantId, UserId, async_trait};
use jiff::Timestamp;

use crate::digest::{Digest, sha256_of_parts};

/// The key of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedKey {
    /// A token: the SHA-256 of a JWT's encoded header and payload, or of an opaque token's text.
    Token([u8; 32]),
    /// The tokens of a session.
    Session(SessionId),
    /// The tokens of a user.
    Subject(UserId),
    /// A completed logout: the SHA-256 of its tokens.
    Logout([u8; 32]),
}

/// An entry of the revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The key.
    pub key: RevokedKey,
    /// Tokens issued up to this time of the identity provider's clock are rejected. `None` rejects all tokens.
    pub not_before: Option<Timestamp>,
    /// The time when the entry may be removed, since each token that it rejects has expired.
    pub until: Timestamp,
}

/// Keeps the revocation list. Several bridges may share a store.
///
/// # Behavior
///
/// - After a successful [`revoke`](Self::revoke), [`is_revoked`](Self::is_revoked) returns true for its entries. A persistent
///   store does so after a restart, too.
/// - An entry rejects tokens issued up to its `not_before`, inclusive. An entry without a `not_before` rejects all tokens.
///   Each entry rejects tokens without an issue time.
/// - Of two entries with equal keys the later `not_before` counts, where `None` is the latest, and the later `until`.
/// - From its `until` on an entry rejects no token, is not merged, and is removed eventually.
/// - Keys of different tenants and of different kinds are different, independent of their text.
/// - A successful call keeps all of its entries. After an error each entry may be kept or not.
/// - A started call completes when its caller stops waiting.
/// - After an error a token must be neither accepted nor reported as invalid.
#[async_trait]
pub trait RevocationStore: fmt::Debug + Send + Sync + 'static {
    /// Adds these entries.
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()>;

    /// Returns whether an entry of any of these keys rejects a token with this issue time.
    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool>;
}

impl RevokedKey {
    /// Returns the digest of tenant, kind and key, under which a store keeps the entry. A store contains no ids.
    pub(crate) fn digest(&self, tenant: &TenantId) -> Digest {
        let (kind, key) = match self {
            Self::Token(sha256) => ("token", &sha256[..]),
            Self::Session(session) => ("session", session.as_str().as_bytes()),
            Self::Subject(subject) => ("subject", subject.as_str().as_bytes()),
            Self::Logout(sha256) => ("logout", &sha256[..]),
        };
        sha256_of_parts(&[tenant.as_str().as_bytes(), kind.as_bytes(), key])
    }
}

/// The stored value of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) until: Timestamp,
}

impl Kept {
    /// Returns the values of entries with the digests of their keys.
    pub(crate) fn by_digest(tenant: &TenantId, entries: &[Revocation]) -> Vec<(Digest, Self)> {
        entries.iter().map(|entry| (entry.key.digest(tenant), entry.into())).collect()
    }

    /// Returns whether the entry may still reject a token.
    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Returns whether the entry rejects a token with this issue time.
    pub(crate) fn rejects(&self, issued_at: Option<Timestamp>) -> bool {
        match (self.not_before, issued_at) {
            (Some(not_before), Some(issued_at)) => issued_at <= not_before,
            _ => true,
        }
    }

    /// Combines two entries of a key.
    pub(crate) fn merge(self, other: Self) -> Self {
        let not_before = self.not_before.zip(other.not_before).map(|(one, another)| one.max(another));
        Self { not_before, until: self.until.max(other.until) }
    }
}

impl From<&Revocation> for Kept {
    fn from(entry: &Revocation) -> Self {
        Self { not_before: entry.not_before, until: entry.until }
    }
}
