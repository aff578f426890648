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

    /// The value's name in errors and in the log, with its article: `an admin token`.
    const WHAT: &'static str;

    /// Fetches a new value, in a task of its own and under the cache's time limit, so that no caller can cut it short.
    async fn fetch(&self, scope: &CallScope) -> Result<(Self::Value, Life)>;
}

/// How long a value serves, counted from the start of its fetch. Each time is at least as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// After this it is replaced in the background.
    pub(crate) fresh: Duration,
    /// After this a call waits for its successor.
    pub(crate) good: Duration,
    /// Until this it serves on if no successor can be had.
    pub(crate) usable: Duration,
}

/// A value that all calls of a tenant share; cheap to clone.
///
/// # Behavior
///
/// - Calls that need a value at the same time wait for one fetch, each under its own deadline.
/// - A fetch has a time limit of its own, whichever call began it. A caller that leaves cancels nothing.
/// - A failed fetch is the error of all that waited for it. After [`FREE_FAILURES`] failures in a row without a usable value,
///   one fetch a [`PAUSE`] is made, and the other calls fail at once with the last failure.
/// - While a usable value exists, a failed refresh is logged and tried again after [`REST`].
/// - [`refresh`](Self::refresh) fetches at most once in [`REFRESH_INTERVAL`]. Its failure keeps the value and delays no
///   other fetch.
pub(crate) struct Cache<S: Source>(Arc<Shared<S>>);

/// Pause after a failed refresh of a value that still serves.
pub(crate) const REST: Duration = Duration::from_secs(5);
/// Failed fetches in a row, without a usable value, after which fetches are spaced out.
pub(crate) const FREE_FAILURES: u32 = 5;
/// Pause between fetches after [`FREE_FAILURES`].
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// How long a call waits for the successor of a value that is still usable.
const STALE_WAIT: Duration = Duration::from_secs(1);
/// Minimum interval between refreshes that calls force, since a forged token is enough to force one.
pub(crate) const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

struct Shared<S: Source> {
    source: S,
    /// How long a fetch may take.
    time_limit: Duration,
    state: Mutex<State<S::Value>>,
}

struct State<T> {
    held: Option<Arc<Held<T>>>,
    running: Option<Running<T>>,
    failed: Option<Failed>,
    /// When a call last forced a refresh.
    forced_at: Option<Instant>,
}

/// The result of a fetch; `None` while it runs.
type Running<T> = watch::Receiver<Option<Result<Arc<Held<T>>, Arc<Error>>>>;

/// The failures since the last success, forced refreshes left out.
struct Failed {
    in_a_row: u32,
    last: Arc<Error>,
    at: Instant,
}

/// Why a fetch is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A call needs a value.
    Needed,
    /// The value in use is not fresh any more.
    Background,
    /// A call needs a newer value than the one in use.
    Forced,
}

/// A value in use. Pointer equality tells a value from its successor.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) value: T,
    /// When its fetch began: it says nothing about later changes.
    pub(crate) fetched_at: Instant,
    life: Life,
}

impl<T> Held<T> {
    fn is_fresh(&self, now: Instant) -> bool {
        now < self.fetched_at + self.life.fresh
    }

    fn is_good(&self, now: Instant) -> bool {
        now < self.fetched_at + self.life.good
    }

    fn is_usable(&self, now: Instant) -> bool {
        now < self.fetched_at + self.life.usable
    }
}

/// What a call finds.
enum Found<T> {
    Value(Arc<Held<T>>),
    /// A fetch to wait for, and the value that serves if it fails.
    Fetch(Running<T>, Option<Arc<Held<T>>>),
}

impl<S: Source> Cache<S> {
    /// Creates an empty cache whose fetches take no longer than `time_limit`.
    pub(crate) fn new(source: S, time_limit: Duration) -> Self {
        let state = State { held: None, running: None, failed: None, forced_at: None };
        Self(Arc::new(Shared { source, time_limit, state: Mutex::new(state) }))
    }

    /// Returns the value; fetches it if there is no good one.
    pub(crate) async fn get(&self, scope: &CallScope) -> Result<Arc<Held<S::Value>>> {
        match self.find(scope)? {
            Found::Value(held) => Ok(held),
            Found::Fetch(running, stale) => Self::wait(scope, running, stale).await,
        }
    }

    /// Returns a value fetched after `than`, which seems to be out of date.
    ///
    /// `Unavailable`, with the time until the next refresh, if a refresh was forced less than [`REFRESH_INTERVAL`] ago.
    pub(crate) async fn refresh(&self, scope: &CallScope, than: &Arc<Held<S::Value>>) -> Result<Arc<Held<S::Value>>> {
        let running = {
            let now = Instant::now();
            let mut state = self.0.state();
            if let Some(held) = state.held.clone().filter(|held| !Arc::ptr_eq(held, than)) {
                return Ok(held);
            }
            let next = state.forced_at.map_or(now, |at| at + REFRESH_INTERVAL);
            match state.live() {
                Some(running) => running,
                None if now < next => {
                    let message = format!("{} may be out of date, and the last refresh was a moment ago", S::WHAT);
                    return Err(Error::ours(ErrorKind::Unavailable, message).with_retry_after(Some(next - now)));
                }
                None => {
                    state.forced_at = Some(now);
                    self.begin(&mut state, scope, Reason::Forced)
                }
            }
        };
        Self::wait(scope, running, None).await
    }

    /// Drops this value, unless it has a successor already.
    pub(crate) fn drop_refused(&self, refused: &Arc<Held<S::Value>>) {
        let mut state = self.0.state();
        if state.held.as_ref().is_some_and(|held| Arc::ptr_eq(held, refused)) {
            state.held = None;
        }
    }

    fn find(&self, scope: &CallScope) -> Result<Found<S::Value>> {
        let now = Instant::now();
        let mut state = self.0.state();
        let running = state.live();
        let rests = state.failed.as_ref().is_some_and(|failed| now < failed.at + REST);
        let held = state.held.clone().filter(|held| held.is_usable(now));
        match (held, running) {
            (Some(held), running) if held.is_good(now) => {
                if !held.is_fresh(now) && running.is_none() && !rests {
                    self.begin(&mut state, &CallScope::new(scope.request_id(), self.0.time_limit), Reason::Background);
                }
                Ok(Found::Value(held))
            }
            (Some(stale), None) if rests => Ok(Found::Value(stale)),
            (stale, Some(running)) => Ok(Found::Fetch(running, stale)),
            (stale, None) => {
                if let Some(failed) = state.failed.as_ref().filter(|failed| stale.is_none() && failed.pauses(now)) {
                    let message = format!("the fetch of {} failed several times", S::WHAT);
                    return Err(Error::caused_by(Arc::clone(&failed.last), message));
                }
                Ok(Found::Fetch(self.begin(&mut state, scope, Reason::Needed), stale))
            }
        }
    }

    /// Waits for a fetch until the call's deadline, or shortly if an older value serves.
    async fn wait(
        scope: &CallScope,
        mut running: Running<S::Value>,
        stale: Option<Arc<Held<S::Value>>>,
    ) -> Result<Arc<Held<S::Value>>> {
        let mut deadline = Instant::from_std(scope.deadline());
        if stale.is_some() {
            deadline = deadline.min(Instant::now() + STALE_WAIT);
        }
        let fetched = match timeout_at(deadline, running.wait_for(Option::is_some)).await {
            Ok(ended) => ended.ok().and_then(|fetched| fetched.clone()),
            Err(_) => return stale.ok_or_else(late::<S>),
        };
        match (fetched, stale) {
            (Some(Ok(held)), _) | (_, Some(held)) => Ok(held),
            (Some(Err(error)), None) => Err(Error::caused_by(error, format!("the fetch of {} failed", S::WHAT))),
            (None, None) => Err(Error::ours(ErrorKind::Unexpected, format!("the fetch of {} panicked", S::WHAT))),
        }
    }

    /// Starts a fetch in a task of its own. Its requests are counted for this call, and its time is its own.
    fn begin(&self, state: &mut State<S::Value>, scope: &CallScope, reason: Reason) -> Running<S::Value> {
        let (sender, receiver) = watch::channel(None);
        let shared = Arc::clone(&self.0);
        let scope = scope.with_timeout(shared.time_limit);
        let fetch = async move {
            let fetched_at = Instant::now();
            let fetched = timeout(shared.time_limit, shared.source.fetch(&scope)).await;
            let fetched =
                fetched.unwrap_or_else(|_| Err(late::<S>())).map_err(|error| shared.unavailable_if_late(error));
            let fetched = fetched.map(|(value, life)| Arc::new(Held { value, fetched_at, life })).map_err(Arc::new);
            shared.keep(&fetched, &scope, reason);
            sender.send_replace(Some(fetched));
        };
        tokio::spawn(fetch.in_current_span());
        state.running = Some(receiver.clone());
        receiver
    }
}

impl<S: Source> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S::Value>> {
        // Nothing that can panic runs under the lock, and the state is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the result of a fetch, before its waiters are woken, so that none of them finds the fetch still running.
    fn keep(&self, fetched: &Result<Arc<Held<S::Value>>, Arc<Error>>, scope: &CallScope, reason: Reason) {
        let now = Instant::now();
        let mut state = self.state();
        state.running = None;
        match fetched {
            Ok(held) => {
                state.held = Some(Arc::clone(held));
                state.failed = None;
            }
            Err(error) => {
                if reason != Reason::Forced {
                    let in_a_row = state.failed.as_ref().map_or(0, |failed| failed.in_a_row).saturating_add(1);
                    state.failed = Some(Failed { in_a_row, last: Arc::clone(error), at: now });
                }
                let serves = state.held.as_ref().is_some_and(|held| held.is_usable(now));
                if reason == Reason::Background || serves {
                    let (what, hint) = (S::WHAT, error.hint());
                    tracing::warn!(request.id = scope.request_id(), what, %error, hint, "what is kept could not be refreshed");
                }
            }
        }
    }

    /// Turns a fetch that took too long into `Unavailable`: the deadlines of the calls that wait for it have not passed.
    fn unavailable_if_late(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Timeout {
            return error;
        }
        let message = format!("the fetch of {} took longer than {:?}", S::WHAT, self.time_limit);
        Error::upstream(ErrorKind::Unavailable, message).with_source(error)
    }
}

impl<T> State<T> {
    /// Returns the fetch that runs. A sender that is gone while its fetch is still listed has panicked.
    fn live(&self) -> Option<Running<T>> {
        self.running.clone().filter(|running| running.has_changed().is_ok())
    }
}

impl Failed {
    /// Whether calls without a usable value fail now instead of fetching.
    fn pauses(&self, now: Instant) -> bool {
        self.in_a_row >= FREE_FAILURES && now < self.at + PAUSE
    }
}

impl<S: Source> Clone for Cache<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn late<S: Source>() -> Error {
    Error::upstream(ErrorKind::Timeout, format!("the fetch of {} did not end before the deadline", S::WHAT))
        .with_hint(TransportCause::AnswerTimeout.hint(Peer::IdentityProvider))
        .unanswered()
}

#[cfg(test)]
mod tests;
