//! A revocation list that a test can break.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Error, ErrorKind, Result, TenantId, async_trait};
use idp_bridge_server::revocation::{MemoryRevocations, Revocation, RevocationStore, RevokedKey};

use crate::clock::TestClock;

/// The behavior of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Fine,
    /// Fails writes.
    ReadOnly,
    Away,
    Hanging,
}

/// A revocation list that its clones share, like replicas.
#[derive(Debug, Clone)]
pub(super) struct Store {
    list: Arc<MemoryRevocations>,
    mood: Arc<AtomicU8>,
}

impl Store {
    pub(super) fn new() -> Self {
        let list = MemoryRevocations::new(Arc::new(TestClock::default()));
        Self { list: Arc::new(list), mood: Arc::default() }
    }

    pub(super) fn becomes(&self, mood: Mood) {
        self.mood.store(mood as u8, SeqCst);
    }

    async fn reach(&self, write: bool) -> Result<()> {
        let mood = self.mood.load(SeqCst);
        if mood == Mood::Hanging as u8 {
            std::future::pending::<()>().await;
        }
        if mood == Mood::Away as u8 || write && mood == Mood::ReadOnly as u8 {
            return Err(Error::ours(ErrorKind::Unexpected, "as the test says"));
        }
        Ok(())
    }
}

#[async_trait]
impl RevocationStore for Store {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        self.reach(true).await?;
        self.list.revoke(tenant, entries).await
    }

    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        self.reach(false).await?;
        self.list.is_revoked(tenant, keys, issued_at).await
    }
}
