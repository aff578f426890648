//! The observed state of a connection: its reads and its requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::ServerLimits;

/// The number of requests that a client may reset in excess of those that it lets complete.
const MAX_RESETS: usize = 100;

/// The observed state of a connection.
#[derive(Debug)]
pub(super) struct Activity {
    reads: AtomicU64,
    has_request: AtomicBool,
    rejected_early: AtomicBool,
    requests: Mutex<Requests>,
    reset_flood: Notify,
    quiet: Notify,
}

/// The requests of a connection with HTTP/2.
#[derive(Debug)]
struct Requests {
    running: usize,
    /// The number of reset requests, less the number of completed ones.
    resets: usize,
    /// The time when the last request ended, or the connection began.
    last_end: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        let requests = Requests { running: 0, resets: 0, last_end: Instant::now() };
        Self {
            reads: AtomicU64::new(0),
            has_request: AtomicBool::new(false),
            rejected_early: AtomicBool::new(false),
            requests: Mutex::new(requests),
            reset_flood: Notify::new(),
            quiet: Notify::new(),
        }
    }
}

impl Activity {
    /// Records a read that returned bytes.
    pub(super) fn count_read(&self) {
        self.reads.fetch_add(1, Relaxed);
    }

    /// Returns the number of reads that returned bytes.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Relaxed)
    }

    /// Records that a request's head is complete.
    pub(super) fn set_has_request(&self) {
        self.has_request.store(true, Relaxed);
    }

    /// Returns whether a complete request head was ever read.
    pub(super) fn has_request(&self) -> bool {
        self.has_request.load(Relaxed)
    }

    /// Records that a request was rejected, possibly before its body was read.
    pub(super) fn set_rejected_early(&self) {
        self.rejected_early.store(true, Relaxed);
    }

    /// Returns whether a request was rejected, possibly before its body was read.
    pub(super) fn was_rejected_early(&self) -> bool {
        self.rejected_early.load(Relaxed)
    }

    /// Records a request of HTTP/2 until the returned value is dropped.
    pub(super) fn begin_request(self: &Arc<Self>) -> RunningRequest {
        self.set_has_request();
        self.lock().running += 1;
        RunningRequest { activity: Arc::clone(self), is_complete: false }
    }

    /// Waits until no request has run for the idle timeout. The first request has the time limit of a head.
    pub(super) async fn wait_until_idle(&self, limits: &ServerLimits) {
        loop {
            let time_limit = if self.has_request() { limits.idle } else { limits.head };
            let (is_running, last_end) = {
                let requests = self.lock();
                (requests.running > 0, requests.last_end)
            };
            let now = Instant::now();
            // A running request ends later, and the next check is at the idle timeout after that at the latest.
            let idle_at = if is_running { now + time_limit } else { last_end + time_limit };
            if idle_at <= now {
                return;
            }
            tokio::time::sleep_until(idle_at).await;
        }
    }

    /// Waits until no request runs.
    pub(super) async fn wait_until_quiet(&self) {
        let mut quiet = std::pin::pin!(self.quiet.notified());
        loop {
            quiet.as_mut().enable();
            if self.lock().running == 0 {
                return;
            }
            quiet.as_mut().await;
            quiet.set(self.quiet.notified());
        }
    }

    /// Waits until the client has reset too many requests.
    pub(super) async fn wait_for_reset_flood(&self) {
        self.reset_flood.notified().await;
    }

    /// Locks the requests. A poisoned lock is fine, since they are consistent after every statement.
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running request. Counts as reset if it is dropped before it is complete.
#[derive(Debug)]
pub(super) struct RunningRequest {
    activity: Arc<Activity>,
    is_complete: bool,
}

impl RunningRequest {
    /// Records that the request has a response.
    pub(super) fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        let mut requests = self.activity.lock();
        requests.running -= 1;
        requests.last_end = Instant::now();
        requests.resets = if self.is_complete { requests.resets.saturating_sub(1) } else { requests.resets + 1 };
        if requests.resets > MAX_RESETS {
            self.activity.reset_flood.notify_one();
        }
        if requests.running == 0 {
            self.activity.quiet.notify_waiters();
        }
    }
}
