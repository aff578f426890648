//! The revocation list: whose tokens userinfo refuses although their identity provider may still take them.
//!
//! A logout is only as good as this list, so a store keeps what it said that it keeps, also over a restart.

mod file;
mod memory;

use std::fmt;

use aws_lc_rs::digest;
use idp_bridge_core::{Result, SessionId, TenantId, UserId, async_trait};
use jiff::Timestamp;

pub use file::{FileRevocations, FolderState};
pub use memory::MemoryRevocations;

/// What can be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedKey {
    /// One token: the SHA-256 of a JWT's header and payload as they are encoded, or of an opaque token's text.
    Token([u8; 32]),
    /// The tokens of one login.
    Session(SessionId),
    /// The tokens of one user.
    Subject(UserId),
    /// No token, but a logout that was completed, by the SHA-256 of what it was shown.
    Logout([u8; 32]),
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What is refused.
    pub key: RevokedKey,
    /// The tokens issued up to then are refused, by the identity provider's clock; all of them if none.
    pub not_before: Option<Timestamp>,
    /// When the entry may be forgotten: when no token that it refuses can still be alive.
    pub until: Timestamp,
}

/// Remembers what is refused. One store may serve several bridges.
///
/// # Behavior
///
/// - What a [`revoke`](Self::revoke) that returned Ok has refused, every later [`is_revoked`](Self::is_revoked) refuses; a
///   store that keeps its entries outside of the process does so after a restart, too.
/// - An entry refuses the tokens that were issued up to its `not_before`, that instant included, and none issued later; one
///   without a `not_before` refuses all. A token that does not tell when it was issued is refused by every entry.
/// - Of two entries of one key the later `not_before` counts, none being the latest, and the later `until`.
/// - From its `until` on an entry refuses nothing, merges with nothing, and is forgotten some time.
/// - Keys of other tenants and of other kinds are other keys, whatever characters they have.
/// - All entries of a call are kept, or the call is an error; after an error they may be kept or not.
/// - A caller that goes away does not take back what it asked for.
/// - An error means that nothing is known: a token must then neither be taken nor be called bad.
#[async_trait]
pub trait RevocationStore: fmt::Debug + Send + Sync + 'static {
    /// Adds these entries.
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()>;

    /// Whether an entry of any of these keys refuses a token that was issued then.
    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool>;
}

/// What a store knows an entry by: a digest of tenant, kind and key, so that it has one size and tells nothing.
type Digest = [u8; 32];

impl RevokedKey {
    fn digest(&self, tenant: &TenantId) -> Digest {
        let (kind, key) = match self {
            Self::Token(sha256) => ("token", &sha256[..]),
            Self::Session(session) => ("session", session.as_str().as_bytes()),
            Self::Subject(subject) => ("subject", subject.as_str().as_bytes()),
            Self::Logout(sha256) => ("logout", &sha256[..]),
        };
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [tenant.as_str().as_bytes(), kind.as_bytes(), key] {
            // With its length before it, no part can be taken for the end of another one.
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// What a store keeps under a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    not_before: Option<Timestamp>,
    until: Timestamp,
}

impl Kept {
    /// Whether it may still refuse a token.
    fn is_alive(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Whether it refuses a token that was issued then.
    fn refuses(&self, issued_at: Option<Timestamp>) -> bool {
        match (self.not_before, issued_at) {
            (Some(not_before), Some(issued_at)) => issued_at <= not_before,
            _ => true,
        }
    }

    /// Both in one.
    fn merge(self, other: Self) -> Self {
        let not_before = self.not_before.zip(other.not_before).map(|(one, another)| one.max(another));
        Self { not_before, until: self.until.max(other.until) }
    }
}

impl From<&Revocation> for Kept {
    fn from(entry: &Revocation) -> Self {
        Self { not_before: entry.not_before, until: entry.until }
    }
}

#[cfg(test)]
mod tests;
