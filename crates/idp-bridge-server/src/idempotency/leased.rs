//! An idempotency store over records with leases, which survive a crash and can be shared by several bridges.
//!
//! A running write holds the lease of its key until [`LEASE_GRACE`] after its deadline. Only the holder may end it, so a
//! bridge that was paused for longer cannot overwrite the result of another one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{Error, ErrorKind, Random, Result, async_trait};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::store::{Begin, Claim, Failed, Fingerprint, IdempotencyStore, Key, LEASE_GRACE, WriteResult};

/// The time for which a failure is kept, so that waiting writes can read it.
pub(crate) const FAILURE_KEPT: Duration = Duration::from_secs(5);

/// The first and the longest interval between two look-ups of a write that waits. Each one is twice as long as the last.
const LOOK_UPS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// The first and the longest interval between two attempts to end a lease.
const ATTEMPTS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

/// The time for which a success is recorded late, after an outage of the table.
const RECORDED_LATE: Duration = Duration::from_secs(5 * 60);

/// The number of groups of keys. The waiting writes of a group are woken together.
const GROUPS: usize = 64;

/// Identifies a lease.
pub(crate) type Token = u128;

/// A request for the lease of a key.
#[derive(Debug, Clone)]
pub(crate) struct LeaseRequest {
    pub(crate) key: Key,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) token: Token,
    /// The time after which the lease ends by itself.
    pub(crate) time: Duration,
    /// The lease that this request waited for. It gets the failure of that lease.
    pub(crate) awaited: Option<Token>,
}

/// The response to a [`LeaseRequest`].
#[derive(Debug)]
pub(crate) enum Held {
    /// The request has the lease.
    Acquired,
    /// An equal write succeeded with this body.
    Succeeded(Bytes),
    /// The awaited write failed.
    Failed(Failed),
    /// The key belongs to a write with another fingerprint.
    Reused,
    /// An equal write has this lease.
    Running(Token),
}

/// The end of a lease.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// The write succeeded with this body.
    Succeeded(Bytes),
    /// The write failed, with an encoded [`Failed`].
    Failed(Bytes),
    /// The write did not run.
    Released,
}

/// The status of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Succeeded,
    Failed,
}

/// The record of a key.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) status: Status,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) token: Token,
    /// The body of a success, or an encoded [`Failed`].
    pub(crate) body: Bytes,
}

impl Record {
    /// Returns the response to a request, or `None` if the request may replace the record.
    pub(crate) fn answer(self, request: &LeaseRequest) -> Option<Held> {
        match self.status {
            // The request was repeated.
            Status::Running if self.token == request.token => Some(Held::Acquired),
            Status::Failed if request.awaited != Some(self.token) => None,
            _ if self.fingerprint != request.fingerprint => Some(Held::Reused),
            Status::Running => Some(Held::Running(self.token)),
            Status::Succeeded => Some(Held::Succeeded(self.body)),
            Status::Failed => Failed::from_bytes(&self.body).map(Held::Failed),
        }
    }
}

/// A table of records.
///
/// # Behavior
///
/// - Both operations are atomic, and a repetition with an equal token changes nothing more.
/// - A lease ends by itself after its time, and a success after [`KEPT`](super::KEPT).
/// - After an error the operation may have taken effect or not, or may do so later.
#[async_trait]
pub(crate) trait LeaseTable: fmt::Debug + Send + Sync + 'static {
    /// Gives the lease to the request, unless the [record](Record::answer) of the key forbids it.
    async fn acquire(&self, request: &LeaseRequest) -> Result<Held>;

    /// Ends the lease of a request. Returns false if the request does not have it.
    ///
    /// A success is recorded even if the lease has ended by itself, unless another request has it.
    async fn end(&self, request: &LeaseRequest, ending: &Ending) -> Result<bool>;
}

/// An idempotency store over a table.
pub(crate) struct Leased<T>(Arc<Shared<T>>);

struct Shared<T> {
    table: Arc<T>,
    /// The upper half of each token of this store.
    prefix: u64,
    next: AtomicU64,
    /// Wakes the waiting writes of this process. Those of other processes look up the record again and again.
    groups: Vec<Notify>,
}

impl<T: LeaseTable> Leased<T> {
    /// Creates a store. Fails if the system has no randomness.
    pub(crate) fn new(table: Arc<T>, random: &dyn Random) -> std::io::Result<Self> {
        let mut prefix = [0; 8];
        random.fill(&mut prefix)?;
        let groups = (0..GROUPS).map(|_| Notify::new()).collect();
        let shared = Shared { table, prefix: u64::from_be_bytes(prefix), next: AtomicU64::new(0), groups };
        Ok(Self(Arc::new(shared)))
    }
}

impl<T: LeaseTable> fmt::Debug for Leased<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leased").field(&self.0.table).finish()
    }
}

#[async_trait]
impl<T: LeaseTable> IdempotencyStore for Leased<T> {
    async fn begin(&self, key: Key, fingerprint: Fingerprint, deadline: std::time::Instant) -> Result<Begin> {
        let mut lease = Lease::new(&self.0, key, fingerprint, deadline.into());
        let mut pause = LOOK_UPS.0;
        loop {
            let ended = self.0.group(&lease.request.key).map(Notify::notified);
            let running = match lease.acquire().await? {
                Held::Acquired => return Ok(Begin::Run(Box::new(lease))),
                Held::Succeeded(body) => return Ok(Begin::Ended(Ok(body))),
                Held::Failed(failed) => return Ok(Begin::Ended(Err(failed))),
                Held::Reused => return Ok(Begin::Reused),
                Held::Running(token) => token,
            };
            lease.request.awaited = Some(running);
            let wake = (Instant::now() + pause).min(lease.deadline);
            if let Some(ended) = ended {
                // Both results lead to the next look-up.
                let _ = timeout_at(wake, ended).await;
            }
            if Instant::now() >= lease.deadline {
                return Ok(Begin::StillRunning);
            }
            pause = (pause * 2).min(LOOK_UPS.1);
        }
    }
}

impl<T: LeaseTable> Shared<T> {
    fn group(&self, key: &Key) -> Option<&Notify> {
        let first = key.as_bytes().first().copied().unwrap_or_default();
        self.groups.get(usize::from(first) % GROUPS)
    }

    fn next_token(&self) -> Token {
        u128::from(self.prefix) << 64 | u128::from(self.next.fetch_add(1, Relaxed))
    }
}

/// The known state of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    No,
    /// The response to the request is missing.
    Unknown,
    Yes,
}

/// The lease of a running write, or the attempt to get it. It is released if it is dropped.
struct Lease<T: LeaseTable> {
    shared: Arc<Shared<T>>,
    request: LeaseRequest,
    deadline: Instant,
    hold: Hold,
}

impl<T: LeaseTable> Lease<T> {
    fn new(shared: &Arc<Shared<T>>, key: Key, fingerprint: Fingerprint, deadline: Instant) -> Self {
        let (token, time) = (shared.next_token(), deadline.saturating_duration_since(Instant::now()) + LEASE_GRACE);
        let request = LeaseRequest { key, fingerprint, token, time, awaited: None };
        Self { shared: Arc::clone(shared), request, deadline, hold: Hold::No }
    }

    /// Requests the lease, until shortly before the deadline.
    async fn acquire(&mut self) -> Result<Held> {
        self.request.time = self.deadline.saturating_duration_since(Instant::now()) + LEASE_GRACE;
        self.hold = Hold::Unknown;
        let acquiring = self.shared.table.acquire(&self.request);
        let Ok(held) = timeout_at(limit_before(self.deadline), acquiring).await else {
            return self.request.awaited.map(Held::Running).ok_or_else(late);
        };
        let held = held?;
        self.hold = if matches!(held, Held::Acquired) { Hold::Yes } else { Hold::No };
        Ok(held)
    }

    /// Returns a task that ends the lease, if it may exist. It tries again until it succeeds or the time is over.
    fn end(&mut self, ending: Ending) -> Option<impl Future<Output = Result<()>> + Send + use<T>> {
        let is_certain = match std::mem::replace(&mut self.hold, Hold::No) {
            Hold::No => return None,
            Hold::Unknown => false,
            Hold::Yes => true,
        };
        let time = if matches!(ending, Ending::Succeeded(_)) { RECORDED_LATE } else { LEASE_GRACE };
        let until = self.deadline + time;
        let (shared, request) = (Arc::clone(&self.shared), self.request.clone());
        Some(async move {
            let mut pause = ATTEMPTS.0;
            loop {
                let result = shared.table.end(&request, &ending).await;
                // The request for the lease may still take effect if its response is missing.
                if matches!(result, Ok(has_ended) if has_ended || is_certain) || Instant::now() + pause >= until {
                    shared.group(&request.key).map(Notify::notify_waiters);
                    return result.map(drop);
                }
                sleep(pause).await;
                pause = (pause * 2).min(ATTEMPTS.1);
            }
        })
    }
}

#[async_trait]
impl<T: LeaseTable> Claim for Lease<T> {
    async fn finish(mut self: Box<Self>, result: WriteResult) -> Result<()> {
        let has_succeeded = result.is_ok();
        let ending = match result {
            Ok(body) => Ending::Succeeded(body),
            Err(failed) => Ending::Failed(failed.to_bytes()),
        };
        let Some(end) = self.end(ending) else { return Ok(()) };
        // Continues beyond the deadline.
        let recording = tokio::spawn(end);
        match timeout_at(limit_before(self.deadline), recording).await {
            Ok(Ok(recorded)) => recorded,
            Ok(Err(_)) => Err(Error::ours(ErrorKind::Unexpected, "the result of a write was not recorded")),
            // The lease of a failure ends by itself.
            Err(_) => {
                if has_succeeded {
                    Err(late())
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl<T: LeaseTable> Drop for Lease<T> {
    fn drop(&mut self) {
        if let (Some(end), Ok(runtime)) = (self.end(Ending::Released), Handle::try_current()) {
            runtime.spawn(end);
        }
    }
}

/// Returns the time limit of an operation of the store, which leaves time to refuse the call before its deadline.
pub(crate) fn limit_before(deadline: Instant) -> Instant {
    deadline - deadline.saturating_duration_since(Instant::now()) / 10
}

/// Returns the error of an operation that exceeded its time limit.
pub(crate) fn late() -> Error {
    Error::ours(ErrorKind::Unavailable, "the store did not answer in time")
}
