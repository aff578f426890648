//! An index of customers in memory, for small pools.
//!
//! Cognito cannot search custom attributes. If the settings say so, the whole pool is read, at a limited rate and up to a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use idp_bridge_core::{CallScope, CustomerId, Error, ErrorKind, Result, UserId};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tracing::Instrument as _;

use crate::client::UserPool;
use crate::config::{CognitoConfig, CustomerIndexConfig};

/// The timeout of one page, with its retries.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

const UNREADABLE: &str = "the index of customers could not be read";

/// The minimum time between a failed refresh and the next one.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// The index of one pool. It is used only when complete: a part could hide that a customer has several users.
pub(crate) struct CustomerIndex {
    reader: Reader,
    max_age: Duration,
    state: Arc<Mutex<State>>,
}

/// Reads all users of the pool.
#[derive(Clone)]
struct Reader {
    pool: Arc<UserPool>,
    attribute: String,
    limits: CustomerIndexConfig,
}

#[derive(Default)]
struct State {
    snapshot: Option<Arc<Snapshot>>,
    refresh: Option<Refresh>,
    failure: Option<Failure>,
}

/// A failed refresh.
struct Failure {
    time: Instant,
    error: Arc<Error>,
}

/// The result of a refresh; `None` while it runs.
type Refresh = watch::Receiver<Option<Result<Arc<Snapshot>, Arc<Error>>>>;

/// The users with a customer at one time.
struct Snapshot {
    users: HashMap<CustomerId, Vec<UserId>>,
    /// The number of users read, including users without a customer.
    read: usize,
    /// The start of the refresh. Later changes may be missing.
    started: Instant,
}

/// The state of the index, for the diagnosis.
pub(crate) enum IndexStatus {
    /// No call has used it yet.
    Empty,
    /// The first refresh is running.
    Filling,
    /// The index is complete.
    Complete { users: usize, age: Duration },
    /// The last refresh failed.
    Failed(String),
}

impl CustomerIndex {
    pub(crate) fn new(pool: Arc<UserPool>, config: &CognitoConfig) -> Result<Self> {
        let limits = config.customer_index.clone();
        let max_age = Duration::try_from(limits.max_age)
            .map_err(|_| Error::misconfigured("`customer_index.max_age` is negative"))?;
        let reader = Reader { pool, attribute: config.customer_attribute.clone(), limits };
        Ok(Self { reader, max_age, state: Arc::default() })
    }

    /// Returns the users of this customer as of at most `max_age` ago.
    ///
    /// A refresh runs in the background: it continues when this call ends, and its requests do not count for the call.
    pub(crate) async fn find(&self, scope: &CallScope, customer: &CustomerId) -> Result<Vec<UserId>> {
        let now = Instant::now();
        loop {
            let mut refresh = match self.snapshot(now)? {
                Lookup::Snapshot(snapshot) => return Ok(snapshot.users.get(customer).cloned().unwrap_or_default()),
                Lookup::Wait(refresh) => refresh,
            };
            let ended = timeout_at(Instant::from_std(scope.deadline()), refresh.wait_for(Option::is_some)).await;
            match ended.map_err(|_| filling())?.ok().and_then(|read| read.clone()) {
                Some(Err(error)) => return Err(Error::caused_by(error, UNREADABLE)),
                Some(Ok(_)) => {}
                None => return Err(Error::ours(ErrorKind::Unexpected, "the refresh of the index panicked")),
            }
        }
    }

    /// Returns the state of the index.
    pub(crate) fn status(&self) -> IndexStatus {
        let state = lock(&self.state);
        match (&state.snapshot, &state.failure, &state.refresh) {
            (_, Some(failure), _) => IndexStatus::Failed(failure.error.to_string()),
            (Some(snapshot), ..) => IndexStatus::Complete { users: snapshot.read, age: snapshot.started.elapsed() },
            (None, None, Some(_)) => IndexStatus::Filling,
            (None, None, None) => IndexStatus::Empty,
        }
    }

    /// Returns a snapshot that is young enough, or the refresh to wait for. Starts a refresh if one is due.
    fn snapshot(&self, now: Instant) -> Result<Lookup> {
        let mut state = lock(&self.state);
        let age = |snapshot: &Snapshot| now.saturating_duration_since(snapshot.started);
        // A refresh without a sender has panicked.
        let running = state.refresh.clone().filter(|refresh| refresh.has_changed().is_ok());
        let usable = state.snapshot.clone().filter(|snapshot| age(snapshot) <= self.max_age);
        let recent = state.failure.as_ref().filter(|failure| failure.time.elapsed() < RETRY_DELAY);
        let recent = recent.map(|failure| Arc::clone(&failure.error));
        match (usable, running, recent) {
            (Some(snapshot), running, recent) => {
                if age(&snapshot) > self.max_age / 2 && running.is_none() && recent.is_none() {
                    state.refresh = Some(self.start_refresh());
                }
                Ok(Lookup::Snapshot(snapshot))
            }
            (None, Some(refresh), _) => Ok(Lookup::Wait(refresh)),
            (None, None, Some(error)) => Err(Error::caused_by(error, UNREADABLE)),
            (None, None, None) => {
                let refresh = self.start_refresh();
                state.refresh = Some(refresh.clone());
                Ok(Lookup::Wait(refresh))
            }
        }
    }

    fn start_refresh(&self) -> Refresh {
        let (sender, receiver) = watch::channel(None);
        let (reader, state) = (self.reader.clone(), Arc::clone(&self.state));
        let refresh = async move {
            let read = reader.read().await.map(Arc::new).map_err(Arc::new);
            // The state changes first, so that no waiting call finds this refresh still running.
            lock(&state).finish_refresh(&read);
            sender.send_replace(Some(read));
        };
        tokio::spawn(refresh.in_current_span());
        receiver
    }
}

enum Lookup {
    Snapshot(Arc<Snapshot>),
    Wait(Refresh),
}

/// Locks the state. A poisoned lock is used: each statement leaves the state consistent.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn finish_refresh(&mut self, read: &Result<Arc<Snapshot>, Arc<Error>>) {
        self.refresh = None;
        match read {
            Ok(snapshot) => {
                tracing::info!(
                    users = snapshot.read,
                    seconds = snapshot.started.elapsed().as_secs(),
                    "the index of customers was read"
                );
                (self.snapshot, self.failure) = (Some(Arc::clone(snapshot)), None);
            }
            Err(error) => {
                tracing::warn!(%error, hint = error.hint(), "{UNREADABLE}");
                self.failure = Some(Failure { time: Instant::now(), error: Arc::clone(error) });
            }
        }
    }
}

impl Reader {
    /// Reads all pages of the pool.
    async fn read(&self) -> Result<Snapshot> {
        let mut snapshot = Snapshot { users: HashMap::new(), read: 0, started: Instant::now() };
        let mut pace = interval(Duration::from_secs(1) / self.limits.requests_per_second.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut token = None;
        loop {
            pace.tick().await;
            let page = self.pool.list(&CallScope::new("customer-index", PAGE_TIMEOUT), token.clone()).await?;
            snapshot.read += page.users.len();
            if snapshot.read > self.limits.max_users {
                return Err(Error::misconfigured("the pool has more users than `customer_index.max_users`")
                    .with_hint("keep a group for each customer and set `customer_lookup = \"group\"`"));
            }
            for user in &page.users {
                let customer = user.attribute(&self.attribute).and_then(|text| CustomerId::new(text).ok());
                if let Some(customer) = customer {
                    let ids = snapshot.users.entry(customer).or_default();
                    // A user that moves to another page during the refresh is read twice.
                    if !ids.contains(&user.id) {
                        ids.push(user.id.clone());
                    }
                }
            }
            token = page.next_after(token.as_deref())?;
            if token.is_none() {
                return Ok(snapshot);
            }
        }
    }
}

fn filling() -> Error {
    Error::upstream(ErrorKind::Timeout, "the index of customers was not complete before the deadline")
}
