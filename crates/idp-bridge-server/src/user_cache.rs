//! A tenant's cache of users (`user_cache`), which saves requests to its identity provider.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{Call, Email, UserId};
use moka::sync::Cache;
use tokio::time::Instant;

/// The maximum number of cached reads of a tenant.
const MAX_READS: u64 = 10_000;

/// The writes of a tenant, and the users that were read since, if its settings allow caching them.
#[derive(Debug, Default)]
pub(crate) struct UserCache {
    /// The number of completed writes.
    writes: AtomicU64,
    /// Created with the first cached read.
    reads: OnceLock<Cache<Call, CachedUser>>,
    /// Held while a read is inserted and while a write removes reads, so that no read from before a write is inserted after it.
    order: Mutex<()>,
}

/// A user that was read.
#[derive(Debug, Clone)]
pub(crate) struct CachedUser {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) body: Bytes,
    /// The begin of the read.
    pub(crate) read_at: Instant,
}

/// The user of a write, as its call identifies it.
#[derive(Debug, Clone)]
pub(crate) enum WrittenUser {
    Id(UserId),
    Email(Email),
}

impl UserCache {
    /// Returns the number of completed writes.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(SeqCst)
    }

    /// Returns the cached result of a read that began within this time.
    pub(crate) fn get(&self, call: &Call, max_age: Duration) -> Option<CachedUser> {
        self.reads.get()?.get(call).filter(|user| user.read_at.elapsed() < max_age)
    }

    /// Caches the result of a read, unless a write has completed since its begin, when there were this many `writes`.
    pub(crate) fn insert(&self, call: Call, user: CachedUser, writes: u64, max_age: Duration) {
        let _order = self.lock();
        if self.writes() == writes {
            let new = || Cache::builder().max_capacity(MAX_READS).time_to_live(max_age).build();
            self.reads.get_or_init(new).insert(call, user);
        }
    }

    /// Counts a completed write, whether or not it took effect, and removes all reads of its user.
    pub(crate) fn complete_write(&self, written: &WrittenUser) {
        let _order = self.lock();
        self.writes.fetch_add(1, SeqCst);
        let Some(reads) = self.reads.get() else { return };
        let concerned = reads.iter().filter(|(_, user)| written.is(user)).map(|(call, _)| call);
        for call in concerned.collect::<Vec<_>>() {
            reads.invalidate(&*call);
        }
    }

    /// A poisoned lock is fine, since it protects no value.
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WrittenUser {
    /// Returns the user of a write. `None` for a read.
    pub(crate) fn from_call(call: &Call) -> Option<Self> {
        match call {
            Call::GetById(_) | Call::GetByEmail(_) | Call::GetByCustomer(_) => None,
            Call::Delete(id) | Call::MarkEmailVerified { id, .. } | Call::SendVerificationEmail(id) => {
                Some(Self::Id(id.clone()))
            }
            Call::SendPasswordResetEmail(email) => Some(Self::Email(email.clone())),
        }
    }

    fn is(&self, user: &CachedUser) -> bool {
        match self {
            Self::Id(id) => *id == user.id,
            Self::Email(email) => email.matches(&user.email),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn age_is_counted_from_the_read() {
        let cache = UserCache::default();
        let id = UserId::new("ada").unwrap();
        let by_id = Call::GetById(id.clone());
        let email = Email::new("ada@acme.example").unwrap();
        let read = CachedUser { id, email, body: Bytes::new(), read_at: Instant::now() };
        advance(MAX_AGE / 2).await;
        cache.insert(by_id.clone(), read, 0, MAX_AGE);
        assert!(cache.get(&by_id, MAX_AGE).is_some());
        advance(MAX_AGE / 2).await;
        assert!(cache.get(&by_id, MAX_AGE).is_none());
    }
}
