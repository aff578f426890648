//! A revocation list in memory, for demos.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use idp_bridge_core::{Clock, Result, TenantId, async_trait};
use jiff::Timestamp;

use super::store::{Kept, Revocation, RevocationStore, RevokedKey};
use crate::digest::Digest;

/// Keeps the revocation list in memory.
#[derive(Debug)]
pub struct MemoryRevocations {
    clock: Arc<dyn Clock>,
    list: Mutex<List>,
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
        Self { clock, list: Mutex::default() }
    }

    /// Locks the list. A poisoned lock is fine, since the list is consistent after every entry.
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RevocationStore for MemoryRevocations {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        let now = self.clock.now();
        let mut list = self.list();
        list.remove_expired(now);
        for entry in entries.iter().filter(|entry| Kept::from(*entry).is_active(now)) {
            list.add(entry.key.digest(tenant), entry.into());
        }
        Ok(())
    }

    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        let now = self.clock.now();
        let list = self.list();
        let is_rejected = |key: &RevokedKey| {
            let kept = list.kept.get(&key.digest(tenant)).filter(|kept| kept.is_active(now));
            kept.is_some_and(|kept| kept.rejects(issued_at))
        };
        Ok(keys.iter().any(is_rejected))
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
