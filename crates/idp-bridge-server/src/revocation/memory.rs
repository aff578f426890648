//! A revocation list in memory: for demos, and for the reads of the list in a file.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use idp_bridge_core::{Clock, Result, TenantId, async_trait};
use jiff::Timestamp;

use super::store::{Kept, Revocation, RevocationStore, RevokedKey};
use crate::digest::Digest;

/// Keeps the revocation list in memory.
#[derive(Debug)]
pub struct MemoryRevocations {
    clock: Arc<dyn Clock>,
    /// A poisoned lock is fine, since the list is consistent after every entry.
    list: RwLock<List>,
}

#[derive(Debug, Default)]
struct List {
    kept: HashMap<Digest, Kept>,
    /// The keys of `kept`, ordered by the time of their removal.
    ends: BTreeSet<(Timestamp, Digest)>,
}

impl MemoryRevocations {
    /// Creates an empty list.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, list: RwLock::default() }
    }

    /// Adds entries by the digests of their keys.
    pub(crate) fn add(&self, entries: &[(Digest, Kept)]) {
        let now = self.clock.now();
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.remove_expired(now);
        for (digest, kept) in entries.iter().filter(|(_, kept)| kept.is_active(now)) {
            list.add(*digest, *kept);
        }
    }

    /// Returns whether an entry of any of these keys rejects a token with this issue time.
    pub(crate) fn rejects(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> bool {
        let now = self.clock.now();
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().any(|key| {
            let kept = list.kept.get(&key.digest(tenant)).filter(|kept| kept.is_active(now));
            kept.is_some_and(|kept| kept.rejects(issued_at))
        })
    }
}

#[async_trait]
impl RevocationStore for MemoryRevocations {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        self.add(&Kept::by_digest(tenant, entries));
        Ok(())
    }

    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        Ok(self.rejects(tenant, keys, issued_at))
    }
}

impl List {
    fn add(&mut self, digest: Digest, new: Kept) {
        let old = self.kept.get(&digest).copied();
        let merged = old.map_or(new, |old| old.merge(new));
        if let Some(old) = old {
            self.ends.remove(&(old.until, digest));
        }
        self.kept.insert(digest, merged);
        self.ends.insert((merged.until, digest));
    }

    fn remove_expired(&mut self, now: Timestamp) {
        while let Some((until, digest)) = self.ends.first().copied()
            && until <= now
        {
            self.ends.remove(&(until, digest));
            self.kept.remove(&digest);
        }
    }
}
