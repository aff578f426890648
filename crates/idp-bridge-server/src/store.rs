//! The store: idempotency keys, the revocation list and the limits of resets, in memory, in a file or in Redis.

mod file;
mod redis;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use idp_bridge_core::{Clock, Email, Error, ErrorKind, Random, Result, TenantId, UserId};
use jiff::Timestamp;

pub use self::file::{FileStore, FolderState};
pub use self::redis::{RedisServer, RedisSettings, RedisStore, RedisTopology};

use crate::idempotency::{
    Begin, Claim, Fingerprint, IdempotencyStore, Key, Leased, MemoryStore, WriteResult, late, limit_before,
};
use crate::reset_limit::{MemoryResets, ResetLimiter};
use crate::revocation::{MemoryRevocations, Revocation, RevocationStore, RevokedKey};
use crate::tenant::Tenant;

/// An operation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// Claims an idempotency key.
    BeginWrite,
    /// Records the result of a write.
    FinishWrite,
    /// Adds entries to the revocation list.
    Revoke,
    /// Looks up entries of the revocation list.
    CheckRevoked,
    /// Counts a password reset.
    CountReset,
}

impl Operation {
    /// All operations.
    pub(crate) const ALL: [Self; 5] =
        [Self::BeginWrite, Self::FinishWrite, Self::Revoke, Self::CheckRevoked, Self::CountReset];

    /// Returns the name for the log and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BeginWrite => "begin_write",
            Self::FinishWrite => "finish_write",
            Self::Revoke => "revoke",
            Self::CheckRevoked => "check_revoked",
            Self::CountReset => "count_reset",
        }
    }
}

/// The store of a server.
pub struct Store {
    writes: Arc<dyn IdempotencyStore>,
    revocations: Arc<dyn RevocationStore>,
    resets: Arc<dyn ResetLimiter>,
    clock: Arc<dyn Clock>,
    results: [Results; Operation::ALL.len()],
}

/// The results of an operation.
#[derive(Default)]
struct Results {
    ok: AtomicU64,
    failed: AtomicU64,
    /// Whether the last one failed.
    is_failing: AtomicBool,
}

impl Store {
    /// Creates a store in memory, for demos: it is lost at a restart. Fails if the system has no randomness.
    pub fn in_memory(clock: Arc<dyn Clock>, random: &dyn Random) -> std::io::Result<Self> {
        let revocations = Arc::new(MemoryRevocations::new(Arc::clone(&clock)));
        let resets = Arc::new(MemoryResets::new(random)?);
        Ok(Self { writes: Arc::new(MemoryStore::default()), revocations, resets, clock, results: Default::default() })
    }

    /// Opens the store in the file of a folder, for a single replica. The limits of resets are in memory.
    ///
    /// Fails like [`FileStore::open`].
    pub fn open_file(folder: &Path, clock: Arc<dyn Clock>, random: &dyn Random) -> Result<Self> {
        let file = Arc::new(FileStore::open(folder, Arc::clone(&clock))?);
        let writes = Arc::new(Leased::new(Arc::clone(&file), random).map_err(no_randomness)?);
        let store = Self::in_memory(clock, random).map_err(no_randomness)?;
        Ok(Self { writes, revocations: file, ..store })
    }

    /// Creates a store in a Redis server that several replicas share. The first operation connects to it.
    ///
    /// Fails if the settings are invalid, or if the system has no randomness.
    pub fn in_redis(settings: &RedisSettings, clock: Arc<dyn Clock>, random: &dyn Random) -> Result<Self> {
        let redis = Arc::new(RedisStore::new(settings, Arc::clone(&clock), random)?);
        let writes = Arc::new(Leased::new(Arc::clone(&redis), random).map_err(no_randomness)?);
        let (revocations, resets) = (Arc::clone(&redis) as Arc<dyn RevocationStore>, redis as Arc<dyn ResetLimiter>);
        Ok(Self { writes, revocations, resets, clock, results: Default::default() })
    }

    /// Replaces the revocation list.
    #[must_use]
    pub fn with_revocations(self, revocations: Arc<dyn RevocationStore>) -> Self {
        Self { revocations, ..self }
    }

    /// Claims a key for a write, or waits until the deadline for the running write with an equal key.
    pub(crate) async fn begin_write(&self, key: Key, fingerprint: Fingerprint, deadline: Instant) -> Result<Begin> {
        self.observe(Operation::BeginWrite, self.writes.begin(key, fingerprint, deadline).await)
    }

    /// Records the result of a write. After an error the result is recorded later, if the store is available again soon.
    pub(crate) async fn finish_write(&self, claim: Box<dyn Claim>, result: WriteResult) {
        // The write has ended, so its caller gets its result in any case.
        let _ = self.observe(Operation::FinishWrite, claim.finish(result).await);
    }

    /// Adds entries to the revocation list.
    pub(crate) async fn revoke(&self, tenant: &TenantId, entries: &[Revocation], deadline: Instant) -> Result<()> {
        self.run(Operation::Revoke, deadline, self.revocations.revoke(tenant, entries)).await
    }

    /// Returns whether an entry of any of these keys rejects a token with this issue time.
    pub(crate) async fn is_revoked(
        &self,
        tenant: &TenantId,
        keys: &[RevokedKey],
        issued_at: Option<Timestamp>,
        deadline: Instant,
    ) -> Result<bool> {
        self.run(Operation::CheckRevoked, deadline, self.revocations.is_revoked(tenant, keys, issued_at)).await
    }

    /// Revokes the tokens of a user who is deleted now, if the tenant has federation.
    pub async fn revoke_deleted_user(&self, tenant: &Tenant, id: UserId, deadline: Instant) -> Result<()> {
        let Some(federation) = &tenant.federation else { return Ok(()) };
        let entry = Revocation::for_deleted_user(id, self.clock.now(), federation.max_token_age);
        self.revoke(&tenant.id, &[entry], deadline).await
    }

    /// Counts a password reset. Fails with `RateLimited` if the address had too many in the last hour.
    pub(crate) async fn count_reset(&self, tenant: &TenantId, email: &Email, deadline: Instant) -> Result<()> {
        match self.run(Operation::CountReset, deadline, self.resets.count(tenant, email, self.clock.now())).await? {
            None => Ok(()),
            wait => Err(Error::ours(ErrorKind::RateLimited, "too many password resets for one address in an hour")
                .with_retry_after(wait)),
        }
    }

    /// Returns the number of operations with this result.
    pub(crate) fn operations(&self, operation: Operation, is_ok: bool) -> u64 {
        let Some(results) = self.results.get(operation as usize) else { return 0 };
        if is_ok { results.ok.load(Relaxed) } else { results.failed.load(Relaxed) }
    }

    /// Runs an operation until shortly before the deadline of its call. Fails with `Unavailable` then.
    async fn run<T>(
        &self,
        operation: Operation,
        deadline: Instant,
        running: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let ended = tokio::time::timeout_at(limit_before(deadline.into()), running).await;
        self.observe(operation, ended.unwrap_or_else(|_| Err(late())))
    }

    /// Records the result of an operation: the log has the begin and the end of its outage.
    ///
    /// Operations fail independently. The revocation list of a full disk can be read, for example.
    fn observe<T>(&self, operation: Operation, result: Result<T>) -> Result<T> {
        let Some(results) = self.results.get(operation as usize) else { return result };
        let count = if result.is_ok() { &results.ok } else { &results.failed };
        count.fetch_add(1, Relaxed);
        let is_failing = result.is_err();
        if results.is_failing.swap(is_failing, Relaxed) != is_failing {
            let operation = operation.as_str();
            match &result {
                Err(error) => {
                    let (hint, cause) = (error.hint(), std::error::Error::source(error));
                    tracing::error!(operation, %error, cause, hint, "the store is unavailable");
                }
                Ok(_) => tracing::info!(operation, "the store is available again"),
            }
        }
        result
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("writes", &self.writes)
            .field("revocations", &self.revocations)
            .finish_non_exhaustive()
    }
}

fn no_randomness(error: std::io::Error) -> Error {
    Error::ours(ErrorKind::Unexpected, "the system's random generator failed").with_source(error)
}
