//! Customers and the ids of their users, in memory: for pools that are small and that keep no other way to find them.
//!
//! Cognito cannot search custom attributes, so the whole pool is read, slowly and with an end, and only because the settings say so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use idp_bridge_core::{CallScope, Customer, CustomerId, Error, ErrorKind, Result, UserId};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tracing::Instrument as _;

use crate::client::UserPool;
use crate::config::{CognitoConfig, CustomerIndexConfig};

/// How long one page may take, the client's own retries included.
const PAGE_TIME: Duration = Duration::from_secs(10);

const UNREADABLE: &str = "the index of customers could not be read";

/// How long Cognito is left alone after a reading that failed.
const REST: Duration = Duration::from_secs(5);

/// The index of one pool. It answers only when it is whole: a part of it could hide that a customer has several users.
pub(crate) struct CustomerIndex {
    reader: Reader,
    max_age: Duration,
    state: Arc<Mutex<State>>,
}

/// What reads the pool.
#[derive(Clone)]
struct Reader {
    pool: Arc<UserPool>,
    attribute: String,
    limits: CustomerIndexConfig,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Snapshot>>,
    running: Option<Running>,
    failed: Option<(Instant, Arc<Error>)>,
}

/// What a reading came to; nothing while it runs.
type Running = watch::Receiver<Option<Result<Arc<Snapshot>, Arc<Error>>>>;

/// All users of the pool that have a customer, as one reading found them.
struct Snapshot {
    users: HashMap<CustomerId, Vec<UserId>>,
    /// How many users were read, those without a customer included.
    read: usize,
    /// When the reading began: nothing is known of what happened later.
    begun: Instant,
}

/// What the index is worth now, for the diagnosis.
pub(crate) enum Standing {
    /// No call has needed it yet.
    Empty,
    /// It is being read for the first time.
    Filling,
    /// It holds this many users, as they were that long ago.
    Whole { users: usize, age: Duration },
    /// The last reading failed.
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

    /// The users who belonged to this customer when the pool was read, which is `max_age` ago at most.
    ///
    /// The reading is nobody's call: it goes on when this one ends, and its requests are not counted for it.
    pub(crate) async fn users_of(&self, scope: &CallScope, customer: &CustomerId) -> Result<Vec<UserId>> {
        let asked = Instant::now();
        loop {
            let mut running = match self.find(asked)? {
                Found::Snapshot(snapshot) => return Ok(snapshot.users.get(customer).cloned().unwrap_or_default()),
                Found::Running(running) => running,
            };
            let ended = timeout_at(Instant::from_std(scope.deadline()), running.wait_for(Option::is_some)).await;
            match ended.map_err(|_| filling())?.ok().and_then(|read| read.clone()) {
                Some(Err(error)) => return Err(Error::caused_by(error, UNREADABLE)),
                Some(Ok(_)) => {}
                None => return Err(Error::ours(ErrorKind::Unexpected, "the reading of the pool panicked")),
            }
        }
    }

    /// What the index is worth now.
    pub(crate) fn standing(&self) -> Standing {
        let state = lock(&self.state);
        match (&state.held, &state.failed, &state.running) {
            (_, Some((_, error)), _) => Standing::Failed(error.to_string()),
            (Some(snapshot), ..) => Standing::Whole { users: snapshot.read, age: snapshot.begun.elapsed() },
            (None, None, Some(_)) => Standing::Filling,
            (None, None, None) => Standing::Empty,
        }
    }

    fn find(&self, asked: Instant) -> Result<Found> {
        let mut state = lock(&self.state);
        let age = |snapshot: &Snapshot| asked.saturating_duration_since(snapshot.begun);
        // A sender that is gone while its reading is still listed has panicked.
        let running = state.running.clone().filter(|running| running.has_changed().is_ok());
        let usable = state.held.clone().filter(|snapshot| age(snapshot) <= self.max_age);
        let resting = state.failed.as_ref().filter(|(at, _)| at.elapsed() < REST).map(|(_, error)| Arc::clone(error));
        match (usable, running, resting) {
            (Some(snapshot), running, resting) => {
                if age(&snapshot) > self.max_age / 2 && running.is_none() && resting.is_none() {
                    state.running = Some(self.start());
                }
                Ok(Found::Snapshot(snapshot))
            }
            (None, Some(running), _) => Ok(Found::Running(running)),
            (None, None, Some(error)) => Err(Error::caused_by(error, UNREADABLE)),
            (None, None, None) => {
                let running = self.start();
                state.running = Some(running.clone());
                Ok(Found::Running(running))
            }
        }
    }

    fn start(&self) -> Running {
        let (sender, receiver) = watch::channel(None);
        let (reader, state) = (self.reader.clone(), Arc::clone(&self.state));
        let reading = async move {
            let read = reader.read().await.map(Arc::new).map_err(Arc::new);
            keep(&mut lock(&state), &read);
            sender.send_replace(Some(read));
        };
        tokio::spawn(reading.in_current_span());
        receiver
    }
}

enum Found {
    Snapshot(Arc<Snapshot>),
    Running(Running),
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing that can panic runs under the lock, and the state is whole after every statement.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a reading. It comes before the news of it, so that nobody who hears the news finds the reading still running.
fn keep(state: &mut State, read: &Result<Arc<Snapshot>, Arc<Error>>) {
    state.running = None;
    match read {
        Ok(snapshot) => {
            tracing::info!(
                users = snapshot.read,
                seconds = snapshot.begun.elapsed().as_secs(),
                "the index of customers was read"
            );
            (state.held, state.failed) = (Some(Arc::clone(snapshot)), None);
        }
        Err(error) => {
            tracing::warn!(%error, hint = error.hint(), "{UNREADABLE}");
            state.failed = Some((Instant::now(), Arc::clone(error)));
        }
    }
}

impl Reader {
    /// Reads the pool, page after page.
    async fn read(&self) -> Result<Snapshot> {
        let mut snapshot = Snapshot { users: HashMap::new(), read: 0, begun: Instant::now() };
        let mut pace = interval(Duration::from_secs(1) / self.limits.requests_per_second.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut token = None;
        loop {
            pace.tick().await;
            let page = self.pool.everybody(&CallScope::new("customer-index", PAGE_TIME), token.clone()).await?;
            snapshot.read += page.users.len();
            if snapshot.read > self.limits.max_users {
                return Err(Error::misconfigured("the pool has more users than `customer_index.max_users`")
                    .with_hint("keep a group for each customer and set `customer_lookup = \"group\"`"));
            }
            for user in page.users {
                if let Customer::One(customer) = user.customer(&self.attribute) {
                    let ids = snapshot.users.entry(customer).or_default();
                    // A user who moves from page to page meanwhile is one nevertheless.
                    if !ids.contains(&user.id) {
                        ids.push(user.id);
                    }
                }
            }
            match page.next {
                None => return Ok(snapshot),
                next if next == token => {
                    return Err(Error::upstream(ErrorKind::InvalidResponse, "cognito's pages never end"));
                }
                next => token = next,
            }
        }
    }
}

fn filling() -> Error {
    Error::upstream(ErrorKind::Timeout, "the pool is still being read into the index of customers")
}
