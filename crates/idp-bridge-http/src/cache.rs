//! Caches a value that an identity provider issues for a while: one fetch for all calls, renewed before it expires.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

use crate::{Peer, TransportCause};

/// Fetches the value of a cache.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// The cached value.
    type Value: Send + Sync + 'static;

    /// The value's name in errors and in the log, with its article, such as `an admin token`.
    const NAME: &'static str;

    /// Fetches a new value. Runs in a separate task under the cache's time limit, so that no caller can cancel it.
    async fn fetch(&self, scope: &CallScope) -> Result<(Self::Value, Lifetime)>;
}

/// The lifetime of a value, counted from the start of its fetch. `fresh` ≤ `good` ≤ `usable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// The age at which the value is refreshed in the background.
    pub(crate) fresh: Duration,
    /// The age from which calls wait for a new value.
    pub(crate) good: Duration,
    /// The age up to which the value is used if no new one can be fetched.
    pub(crate) usable: Duration,
}

/// A value shared by all calls of a tenant. Cheap to clone.
///
/// # Behavior
///
/// - Concurrent calls wait for one fetch, each under its own deadline.
/// - A fetch has its own time limit and is not cancelled when callers leave.
/// - All calls that waited for a failed fetch fail. After [`FREE_FAILURES`] consecutive failures without a usable value, one
///   fetch per [`FETCH_INTERVAL`] is made, and other calls fail immediately with the last error.
/// - If a usable value exists, a failed refresh is logged and repeated after [`RETRY_DELAY`].
/// - [`refresh`](Self::refresh) fetches at most once per [`REFRESH_INTERVAL`]. If it fails, the value stays and other fetches
///   are not delayed.
pub(crate) struct Cache<S: Source>(Arc<Shared<S>>);

/// Pause after a failed refresh of a usable value.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(5);
/// Consecutive failures without a usable value after which fetches are rate-limited.
pub(crate) const FREE_FAILURES: u32 = 5;
/// Interval between fetches after [`FREE_FAILURES`].
pub(crate) const FETCH_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum wait of a call for a new value if a usable one exists.
const STALE_WAIT: Duration = Duration::from_secs(1);
/// Minimum interval between forced refreshes. A forged token can force one.
pub(crate) const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

struct Shared<S: Source> {
    source: S,
    /// The time limit of a fetch.
    time_limit: Duration,
    state: Mutex<State<S::Value>>,
}

struct State<T> {
    entry: Option<Arc<Entry<T>>>,
    running: Option<Running<T>>,
    failed: Option<Failed>,
    /// The time of the last forced refresh.
    forced_at: Option<Instant>,
}

/// The result of a fetch. `None` while it runs.
type Running<T> = watch::Receiver<Option<Result<Arc<Entry<T>>, Arc<Error>>>>;

/// The failures since the last success, without forced refreshes.
struct Failed {
    count: u32,
    last: Arc<Error>,
    at: Instant,
}

/// The reason for a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A call needs a value.
    Needed,
    /// The cached value is no longer fresh.
    Background,
    /// A call needs a newer value than the cached one.
    Forced,
}

/// A cached value. Compared by pointer.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) value: T,
    /// The start of the fetch. Later changes may be missing.
    pub(crate) fetched_at: Instant,
    lifetime: Lifetime,
}

impl<T> Entry<T> {
    fn is_fresh(&self, now: Instant) -> bool {
        now < self.fetched_at + self.lifetime.fresh
    }

    fn is_good(&self, now: Instant) -> bool {
        now < self.fetched_at + self.lifetime.good
    }

    fn is_usable(&self, now: Instant) -> bool {
        now < self.fetched_at + self.lifetime.usable
    }
}

/// The result of a lookup.
enum Found<T> {
    Value(Arc<Entry<T>>),
    /// A fetch to wait for, and the value to use if it fails.
    Fetch(Running<T>, Option<Arc<Entry<T>>>),
}

impl<S: Source> Cache<S> {
    /// Creates an empty cache with a time limit for each fetch.
    pub(crate) fn new(source: S, time_limit: Duration) -> Self {
        let state = State { entry: None, running: None, failed: None, forced_at: None };
        Self(Arc::new(Shared { source, time_limit, state: Mutex::new(state) }))
    }

    /// Returns the source of the values.
    pub(crate) fn source(&self) -> &S {
        &self.0.source
    }

    /// Returns the value, and fetches it if necessary.
    pub(crate) async fn get(&self, scope: &CallScope) -> Result<Arc<Entry<S::Value>>> {
        match self.find(scope)? {
            Found::Value(entry) => Ok(entry),
            Found::Fetch(running, stale) => Self::wait(scope, running, stale).await,
        }
    }

    /// Returns a newer value than `outdated`.
    ///
    /// Fails with `Unavailable` and the time until the next refresh if the last one was less than [`REFRESH_INTERVAL`] ago.
    pub(crate) async fn refresh(
        &self,
        scope: &CallScope,
        outdated: &Arc<Entry<S::Value>>,
    ) -> Result<Arc<Entry<S::Value>>> {
        let running = {
            let now = Instant::now();
            let mut state = self.0.state();
            if let Some(entry) = state.entry.clone().filter(|entry| !Arc::ptr_eq(entry, outdated)) {
                return Ok(entry);
            }
            let next = state.forced_at.map_or(now, |at| at + REFRESH_INTERVAL);
            match state.running_fetch() {
                Some(running) => running,
                None if now < next => {
                    let message = format!("{} may be out of date, and the last refresh was a moment ago", S::NAME);
                    return Err(Error::ours(ErrorKind::Unavailable, message).with_retry_after(Some(next - now)));
                }
                None => {
                    state.forced_at = Some(now);
                    self.start_fetch(&mut state, scope, Reason::Forced)
                }
            }
        };
        Self::wait(scope, running, None).await
    }

    /// Removes this value from the cache, unless a newer one has replaced it.
    pub(crate) fn remove(&self, refused: &Arc<Entry<S::Value>>) {
        let mut state = self.0.state();
        if state.entry.as_ref().is_some_and(|entry| Arc::ptr_eq(entry, refused)) {
            state.entry = None;
        }
    }

    fn find(&self, scope: &CallScope) -> Result<Found<S::Value>> {
        let now = Instant::now();
        let mut state = self.0.state();
        let running = state.running_fetch();
        let is_retry_delayed = state.failed.as_ref().is_some_and(|failed| now < failed.at + RETRY_DELAY);
        let entry = state.entry.clone().filter(|entry| entry.is_usable(now));
        match (entry, running) {
            (Some(entry), running) if entry.is_good(now) => {
                if !entry.is_fresh(now) && running.is_none() && !is_retry_delayed {
                    self.start_fetch(
                        &mut state,
                        &CallScope::new(scope.request_id(), self.0.time_limit),
                        Reason::Background,
                    );
                }
                Ok(Found::Value(entry))
            }
            (Some(stale), None) if is_retry_delayed => Ok(Found::Value(stale)),
            (stale, Some(running)) => Ok(Found::Fetch(running, stale)),
            (stale, None) => {
                if let Some(failed) = state.failed.as_ref().filter(|failed| stale.is_none() && failed.is_paused(now)) {
                    let message = format!("the fetch of {} failed several times", S::NAME);
                    return Err(Error::caused_by(Arc::clone(&failed.last), message));
                }
                Ok(Found::Fetch(self.start_fetch(&mut state, scope, Reason::Needed), stale))
            }
        }
    }

    /// Waits for a fetch until the call's deadline, or for [`STALE_WAIT`] if a usable value exists.
    async fn wait(
        scope: &CallScope,
        mut running: Running<S::Value>,
        stale: Option<Arc<Entry<S::Value>>>,
    ) -> Result<Arc<Entry<S::Value>>> {
        let mut deadline = Instant::from_std(scope.deadline());
        if stale.is_some() {
            deadline = deadline.min(Instant::now() + STALE_WAIT);
        }
        let fetched = match timeout_at(deadline, running.wait_for(Option::is_some)).await {
            Ok(ended) => ended.ok().and_then(|fetched| fetched.clone()),
            Err(_) => return stale.ok_or_else(timed_out::<S>),
        };
        match (fetched, stale) {
            (Some(Ok(entry)), _) | (_, Some(entry)) => Ok(entry),
            (Some(Err(error)), None) => Err(Error::caused_by(error, format!("the fetch of {} failed", S::NAME))),
            (None, None) => Err(Error::ours(ErrorKind::Unexpected, format!("the fetch of {} panicked", S::NAME))),
        }
    }

    /// Starts a fetch in a separate task with its own time limit. Its requests count for this call.
    fn start_fetch(&self, state: &mut State<S::Value>, scope: &CallScope, reason: Reason) -> Running<S::Value> {
        let (sender, receiver) = watch::channel(None);
        let shared = Arc::clone(&self.0);
        let scope = scope.with_timeout(shared.time_limit);
        let fetch = async move {
            let fetched_at = Instant::now();
            let fetched = timeout(shared.time_limit, shared.source.fetch(&scope)).await;
            let fetched =
                fetched.unwrap_or_else(|_| Err(timed_out::<S>())).map_err(|error| shared.unavailable_if_late(error));
            let fetched =
                fetched.map(|(value, lifetime)| Arc::new(Entry { value, fetched_at, lifetime })).map_err(Arc::new);
            shared.store(&fetched, &scope, reason);
            sender.send_replace(Some(fetched));
        };
        tokio::spawn(fetch.in_current_span());
        state.running = Some(receiver.clone());
        receiver
    }
}

impl<S: Source> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S::Value>> {
        // No code under the lock panics, and every statement leaves the state consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the result of a fetch. Must run before the waiting calls are woken.
    fn store(&self, fetched: &Result<Arc<Entry<S::Value>>, Arc<Error>>, scope: &CallScope, reason: Reason) {
        let now = Instant::now();
        let mut state = self.state();
        state.running = None;
        match fetched {
            Ok(entry) => {
                state.entry = Some(Arc::clone(entry));
                state.failed = None;
            }
            Err(error) => {
                if reason != Reason::Forced {
                    let count = state.failed.as_ref().map_or(0, |failed| failed.count).saturating_add(1);
                    state.failed = Some(Failed { count, last: Arc::clone(error), at: now });
                }
                let has_usable = state.entry.as_ref().is_some_and(|entry| entry.is_usable(now));
                if reason == Reason::Background || has_usable {
                    let (what, hint) = (S::NAME, error.hint());
                    tracing::warn!(request.id = scope.request_id(), what, %error, hint, "a cached value could not be refreshed");
                }
            }
        }
    }

    /// Converts `Timeout` to `Unavailable`, because the deadlines of the waiting calls have not passed.
    fn unavailable_if_late(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Timeout {
            return error;
        }
        let message = format!("the fetch of {} took longer than {:?}", S::NAME, self.time_limit);
        Error::upstream(ErrorKind::Unavailable, message).with_source(error)
    }
}

impl<T> State<T> {
    /// Returns the running fetch. If its sender was dropped, the fetch has panicked.
    fn running_fetch(&self) -> Option<Running<T>> {
        self.running.clone().filter(|running| running.has_changed().is_ok())
    }
}

impl Failed {
    /// Returns whether calls without a usable value fail without a fetch.
    fn is_paused(&self, now: Instant) -> bool {
        self.count >= FREE_FAILURES && now < self.at + FETCH_INTERVAL
    }
}

impl<S: Source> Clone for Cache<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn timed_out<S: Source>() -> Error {
    Error::upstream(ErrorKind::Timeout, format!("the fetch of {} did not end before the deadline", S::NAME))
        .with_hint(TransportCause::AnswerTimeout.hint(Peer::IdentityProvider))
        .unanswered()
}

#[cfg(test)]
mod tests;
