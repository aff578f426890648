//! What an identity provider gives for a while: one fetch at a time for all who need it, and a new one before the old is too old.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

/// Fetches what a cache keeps.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// What is kept.
    type Value: Send + Sync + 'static;

    /// What errors and the log call it: `an admin token`.
    const WHAT: &'static str;

    /// Fetches a new one. It runs in a task of its own, so that a caller who leaves does not break it for the others.
    async fn fetch(&self, scope: &CallScope) -> Result<(Self::Value, Life)>;
}

/// How long a value serves, from the moment it was asked for. Each is at least the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// After this it is replaced in the background.
    pub(crate) fresh: Duration,
    /// After this a call waits for its successor.
    pub(crate) good: Duration,
    /// Until this it serves on if no successor can be had.
    pub(crate) usable: Duration,
}

/// Keeps one value for all calls of a tenant; cheap to clone.
pub(crate) struct Cache<S: Source>(Arc<Shared<S>>);

/// How long a fetch in the background may take; a call that waits for it has its own deadline.
const BACKGROUND_TIME: Duration = Duration::from_secs(10);
/// How long to leave an identity provider alone that failed a fetch, while an older value serves.
pub(crate) const REST: Duration = Duration::from_secs(5);
/// How long a call waits for the successor of a value that is still usable: it has other things to do in its time.
const STALE_WAIT: Duration = Duration::from_secs(1);
/// How often the value may be doubted by calls: what makes them doubt it may be forged.
pub(crate) const DOUBT_PAUSE: Duration = Duration::from_secs(10);

struct Shared<S: Source> {
    source: S,
    state: Mutex<State<S::Value>>,
}

struct State<T> {
    held: Option<Arc<Held<T>>>,
    running: Option<Running<T>>,
    rest_until: Option<Instant>,
    doubted: Option<Instant>,
}

/// What a fetch came to; nothing while it runs.
type Running<T> = watch::Receiver<Option<Result<Arc<Held<T>>, Arc<Error>>>>;

/// A value in use. Its address is its identity: a refused value is told from its successor by it.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) value: T,
    pub(crate) fresh_until: Instant,
    pub(crate) good_until: Instant,
    pub(crate) usable_until: Instant,
}

impl<T> Held<T> {
    pub(crate) fn new(value: T, life: Life, asked: Instant) -> Self {
        let Life { fresh, good, usable } = life;
        Self { value, fresh_until: asked + fresh, good_until: asked + good, usable_until: asked + usable }
    }
}

/// What a call finds.
enum Found<T> {
    Value(Arc<Held<T>>),
    Fetch(Waiting<T>),
}

/// A fetch that a call waits for.
struct Waiting<T> {
    running: Running<T>,
    /// Whether the call began it.
    own: bool,
    /// What serves if it fails.
    stale: Option<Arc<Held<T>>>,
}

impl<S: Source> Cache<S> {
    /// A cache without a value.
    pub(crate) fn new(source: S) -> Self {
        let state = State { held: None, running: None, rest_until: None, doubted: None };
        Self(Arc::new(Shared { source, state: Mutex::new(state) }))
    }

    /// The value, fetched if there is none that is good.
    pub(crate) async fn get(&self, scope: &CallScope) -> Result<Arc<Held<S::Value>>> {
        loop {
            let waiting = match self.find(scope) {
                Found::Value(held) => return Ok(held),
                Found::Fetch(waiting) => waiting,
            };
            if let Some(ended) = Self::wait(scope, waiting).await {
                return ended;
            }
        }
    }

    /// A value that is newer than one that seems to be out of date; none if there cannot be a newer one yet.
    ///
    /// Calls that doubt the value fetch at most once in [`DOUBT_PAUSE`]. A failure is an error, also for the calls after
    /// it for as long as the identity provider is left alone: nobody knows then whether the value is out of date.
    pub(crate) async fn newer(
        &self,
        scope: &CallScope,
        than: &Arc<Held<S::Value>>,
    ) -> Result<Option<Arc<Held<S::Value>>>> {
        loop {
            let waiting = {
                let now = Instant::now();
                let mut state = self.0.state();
                if let Some(held) = state.held.clone().filter(|held| !Arc::ptr_eq(held, than)) {
                    return Ok(Some(held));
                }
                if let Some(running) = state.live() {
                    Waiting { running, own: false, stale: None }
                } else if state.rests(now) {
                    let message = format!("the fetch of {} failed a moment ago", S::WHAT);
                    return Err(Error::upstream(ErrorKind::Unavailable, message));
                } else if state.doubted.is_some_and(|at| now < at + DOUBT_PAUSE) {
                    return Ok(None);
                } else {
                    state.doubted = Some(now);
                    self.begin(&mut state, scope.clone(), false)
                }
            };
            if let Some(ended) = Self::wait(scope, waiting).await {
                return ended.map(Some);
            }
        }
    }

    /// Drops this value, unless it has a successor already.
    pub(crate) fn drop_refused(&self, refused: &Arc<Held<S::Value>>) {
        let mut state = self.0.state();
        if state.held.as_ref().is_some_and(|held| Arc::ptr_eq(held, refused)) {
            state.held = None;
        }
    }

    fn find(&self, scope: &CallScope) -> Found<S::Value> {
        let now = Instant::now();
        let mut state = self.0.state();
        let running = state.live();
        let may_begin = running.is_none() && !state.rests(now);
        let stale = match state.held.clone() {
            Some(held) if now < held.good_until => {
                if now >= held.fresh_until && may_begin {
                    let own_scope = CallScope::new(scope.request_id(), BACKGROUND_TIME);
                    self.begin(&mut state, own_scope, true);
                }
                return Found::Value(held);
            }
            held => held.filter(|held| now < held.usable_until),
        };
        match (running, stale) {
            (None, Some(stale)) if !may_begin => Found::Value(stale),
            (Some(running), stale) => Found::Fetch(Waiting { running, own: false, stale }),
            (None, stale) => {
                let waiting = self.begin(&mut state, scope.clone(), false);
                Found::Fetch(Waiting { stale, ..waiting })
            }
        }
    }

    /// Waits for a fetch; nothing if it ended with the deadline of the call that began it, which says nothing about others.
    async fn wait(scope: &CallScope, waiting: Waiting<S::Value>) -> Option<Result<Arc<Held<S::Value>>>> {
        let Waiting { mut running, own, stale } = waiting;
        let mut deadline = Instant::from_std(scope.deadline());
        if stale.is_some() {
            deadline = deadline.min(Instant::now() + STALE_WAIT);
        }
        let ended = timeout_at(deadline, running.wait_for(Option::is_some)).await;
        let fetched = match ended {
            Ok(ended) => ended.ok().and_then(|fetched| fetched.clone()),
            Err(_) => Some(Err(Arc::new(late::<S>()))),
        };
        let error = match (fetched, stale) {
            (Some(Ok(held)), _) | (_, Some(held)) => return Some(Ok(held)),
            (Some(Err(error)), None) => error,
            (None, None) => {
                let message = format!("the fetch of {} panicked", S::WHAT);
                return Some(Err(Error::ours(ErrorKind::Unexpected, message)));
            }
        };
        let is_others_deadline = error.kind() == ErrorKind::Timeout && !own && Instant::now() < deadline;
        (!is_others_deadline).then(|| Err(Error::caused_by(error, format!("the fetch of {} failed", S::WHAT))))
    }

    fn begin(&self, state: &mut State<S::Value>, scope: CallScope, in_background: bool) -> Waiting<S::Value> {
        let (sender, receiver) = watch::channel(None);
        let shared = self.0.clone();
        let fetch = async move {
            let asked = Instant::now();
            let deadline = Instant::from_std(scope.deadline());
            let fetched = timeout_at(deadline, shared.source.fetch(&scope)).await.unwrap_or_else(|_| Err(late::<S>()));
            let fetched = fetched.map(|(value, life)| Arc::new(Held::new(value, life, asked))).map_err(Arc::new);
            shared.keep(&fetched, &scope, in_background);
            sender.send_replace(Some(fetched));
        };
        tokio::spawn(fetch.in_current_span());
        state.running = Some(receiver.clone());
        Waiting { running: receiver, own: true, stale: None }
    }
}

impl<S: Source> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S::Value>> {
        // Nothing that can panic runs under the lock, and the state is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a fetch. It comes before the news of it, so that nobody who hears the news finds the fetch still running.
    fn keep(&self, fetched: &Result<Arc<Held<S::Value>>, Arc<Error>>, scope: &CallScope, in_background: bool) {
        let mut state = self.state();
        state.running = None;
        match fetched {
            Ok(held) => {
                state.held = Some(held.clone());
                state.rest_until = None;
            }
            Err(error) => {
                state.rest_until = Some(Instant::now() + REST);
                state.doubted = None;
                let serves = state.held.as_ref().is_some_and(|held| Instant::now() < held.usable_until);
                if in_background || serves {
                    let (what, hint) = (S::WHAT, error.hint());
                    tracing::warn!(request.id = scope.request_id(), what, %error, hint, "what is kept could not be refreshed");
                }
            }
        }
    }
}

impl<T> State<T> {
    /// The fetch that runs. A sender that is gone while its fetch is still listed has panicked.
    fn live(&self) -> Option<Running<T>> {
        self.running.clone().filter(|running| running.has_changed().is_ok())
    }

    fn rests(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| now < until)
    }
}

impl<S: Source> Clone for Cache<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn late<S: Source>() -> Error {
    Error::upstream(ErrorKind::Timeout, format!("the fetch of {} did not end before the deadline", S::WHAT))
}

#[cfg(test)]
mod tests;
