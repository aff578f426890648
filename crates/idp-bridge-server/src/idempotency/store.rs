//! The interface of an idempotency store.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use idp_bridge_core::{Result, TenantId, async_trait};

use crate::digest::sha256_of_parts;
use crate::error::Refusal;

/// The time for which a success is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The time after the deadline of a write for which a persistent or shared store keeps its claim.
pub const LEASE_GRACE: Duration = Duration::from_secs(5);

/// The idempotency key of a write: its tenant, and a digest of surface, tenant, caller and the caller's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    tenant: TenantId,
    digest: [u8; 32],
}

impl Key {
    /// Creates the key of a signed call.
    pub(crate) fn for_webhook(tenant: &TenantId, id: &str) -> Self {
        Self::new(tenant, ["webhook", "", id])
    }

    /// Creates the key of a REST call.
    pub(crate) fn for_rest(tenant: &TenantId, caller: &str, id: &str) -> Self {
        Self::new(tenant, ["rest", caller, id])
    }

    /// Creates the key of a link in a mail.
    pub(crate) fn for_mail(tenant: &TenantId, id: &str) -> Self {
        Self::new(tenant, ["mail", "", id])
    }

    fn new(tenant: &TenantId, [surface, caller, id]: [&str; 3]) -> Self {
        let parts = [surface, tenant.as_str(), caller, id].map(str::as_bytes);
        Self { tenant: tenant.clone(), digest: sha256_of_parts(&parts) }
    }

    /// Returns the tenant, so that a store can separate the keys of tenants.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Returns the digest, which depends on the tenant, too.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// The SHA-256 of a write's operation and data.
pub type Fingerprint = [u8; 32];

/// The result of a write: the body of its success, or a failure.
pub type WriteResult = Result<Bytes, Failed>;

/// A failure. Waiting calls with an equal key receive it; it is never kept.
#[derive(Debug, Clone)]
pub struct Failed(pub(crate) Refusal);

impl Failed {
    /// Encodes the failure, for a store that several bridges share.
    pub fn to_bytes(&self) -> Bytes {
        self.0.to_shared()
    }

    /// Decodes a failure. Returns `None` if it is from a later version of the bridge.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Refusal::from_shared(bytes).map(Self)
    }
}

/// The response of a store to a write that is about to begin.
pub enum Begin {
    /// The write should run, and then finish the claim.
    Run(Box<dyn Claim>),
    /// An equal write has ended.
    Ended(WriteResult),
    /// The key belongs to a write with another fingerprint.
    Reused,
    /// An equal write was still running at the deadline.
    StillRunning,
}

impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run(_) => "Run",
            Self::Ended(_) => "Ended",
            Self::Reused => "Reused",
            Self::StillRunning => "StillRunning",
        })
    }
}

/// Keeps the results of writes. Several bridges may share a store.
///
/// # Behavior
///
/// - Of concurrent writes with equal key and fingerprint one runs. The others wait for its end or their deadline.
/// - A success is kept for [`KEPT`] from its end. A failure is passed to the waiting writes and removed.
/// - A claim that is dropped without a result is removed: the next write with its key runs.
/// - The claim of a bridge that crashed lasts until [`LEASE_GRACE`] after the deadline of its write. Then the next write with its
///   key runs.
/// - After an error the write must not run.
#[async_trait]
pub trait IdempotencyStore: fmt::Debug + Send + Sync + 'static {
    /// Claims a key for a write, or returns the result of an equal write.
    async fn begin(&self, key: Key, fingerprint: Fingerprint, deadline: Instant) -> Result<Begin>;
}

/// The claim of a running write to its key.
#[async_trait]
pub trait Claim: Send {
    /// Records the result of the write. After an error it is recorded later or not at all.
    async fn finish(self: Box<Self>, result: WriteResult) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_surface_tenant_and_caller() {
        let tenant = |id: &str| TenantId::new(id).unwrap();
        let keys = [
            Key::for_webhook(&tenant("a"), "1"),
            Key::for_webhook(&tenant("b"), "1"),
            Key::for_webhook(&tenant("a"), "2"),
            Key::for_rest(&tenant("a"), "", "1"),
            Key::for_rest(&tenant("a"), "x", "y1"),
            Key::for_rest(&tenant("a"), "xy", "1"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(Key::for_webhook(&tenant("a"), "1"), keys[0]);
    }
}
