//! A write with the same id runs once: the first call runs it, its twins and repetitions get the same answer.

mod memory;

use std::fmt;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use bytes::Bytes;
use idp_bridge_core::{Result, TenantId, async_trait};

pub use memory::MemoryStore;

pub(crate) use crate::error::Refusal;

/// How long a success is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What a write is known by: its tenant, and a digest of surface, tenant, caller and the caller's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    tenant: TenantId,
    digest: [u8; 32],
}

impl Key {
    /// The key of a signed call.
    pub(crate) fn webhook(tenant: &TenantId, id: &str) -> Self {
        Self::new(tenant, ["webhook", "", id])
    }

    /// The key of a REST call by this caller.
    pub(crate) fn rest(tenant: &TenantId, caller: &str, id: &str) -> Self {
        Self::new(tenant, ["rest", caller, id])
    }

    fn new(tenant: &TenantId, [surface, caller, id]: [&str; 3]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [surface, tenant.as_str(), caller, id] {
            // With its length before it, no part can be taken for the end of another one.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self { tenant: tenant.clone(), digest }
    }

    /// The tenant, so that a store can keep its share apart from those of others.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The digest, which is another one for another tenant.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// SHA-256 of what a write asks for.
pub type Fingerprint = [u8; 32];

/// How a write ended: the body of its 200, or why there is none.
pub type Ending = Result<Bytes, Failed>;

/// A failure, as the twins that waited for it are told. It is never kept.
#[derive(Debug, Clone)]
pub struct Failed(pub(crate) Refusal);

/// What a store says to a write that wants to begin.
pub enum Begin {
    /// Run it, and say how it ended.
    Run(Box<dyn Claim>),
    /// It ran already, or its twin just ended.
    Ended(Ending),
    /// The same key was used to ask for something else.
    Reused,
    /// Its twin was still running at the deadline.
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

/// Remembers writes. One store may serve several bridges.
///
/// # Behavior
///
/// - Of writes with one key and one fingerprint that overlap, one runs; the others wait until it ends or their deadline comes.
/// - A success is kept for [`KEPT`] from its end; everything else is told to the waiting twins and forgotten.
/// - A claim that is dropped without an ending is forgotten: the next write with its key runs.
/// - An error means that nothing is known, so that the write must not run.
#[async_trait]
pub trait IdempotencyStore: fmt::Debug + Send + Sync + 'static {
    /// Asks whether a write may run.
    async fn begin(&self, key: Key, fingerprint: Fingerprint, deadline: Instant) -> Result<Begin>;
}

/// The right, and the duty, to run a write.
#[async_trait]
pub trait Claim: Send {
    /// Says how the write ended.
    async fn finish(self: Box<Self>, ending: Ending);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_surfaces_tenants_and_callers_are_other_keys() {
        let tenant = |id: &str| TenantId::new(id).unwrap();
        let keys = [
            Key::webhook(&tenant("a"), "1"),
            Key::webhook(&tenant("b"), "1"),
            Key::webhook(&tenant("a"), "2"),
            Key::rest(&tenant("a"), "", "1"),
            Key::rest(&tenant("a"), "x", "y1"),
            Key::rest(&tenant("a"), "xy", "1"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(Key::webhook(&tenant("a"), "1"), keys[0]);
    }
}
