//! The connection to the server. It is shared by all calls, and opened again when it fails.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use idp_bridge_core::{Error, ErrorKind, Result};
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation, ServerErrorKind};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::settings::RedisSettings;
use super::target::{CONNECT, Connection, Target};
use crate::flights::Flights;

/// The time limit of an operation, including a new connection.
const OPERATION: Duration = Duration::from_secs(1);

/// The time without a response after which the connection is dropped with its operation, such as at the deadline of a call.
const SILENCE: Duration = Duration::from_millis(50);

/// The first and the longest interval between two attempts to connect. Each one is twice as long as the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// The connection to the server.
pub(super) struct Link {
    shared: Arc<Shared>,
    /// The attempt to connect, of which there is one at a time.
    attempts: Flights<(), Result<Numbered, Arc<Error>>>,
}

struct Shared {
    target: Target,
    /// The addresses, for messages.
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Numbered>,
    /// The number of connections so far.
    opened: u64,
    failed: Option<Failed>,
}

/// A connection and its number.
#[derive(Clone)]
struct Numbered(u64, Connection);

/// The connection of an operation, by its number. It is 0 without a connection, and after the response.
struct Used<'a> {
    shared: &'a Shared,
    number: AtomicU64,
    since: Instant,
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        if self.since.elapsed() >= SILENCE {
            self.shared.discard(*self.number.get_mut());
        }
    }
}

/// The last failed attempt to connect.
struct Failed {
    error: Arc<Error>,
    at: Instant,
    pause: Duration,
}

impl Link {
    /// Creates a link. Fails with `Misconfigured` if the settings are invalid.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        let target = Target::new(settings)
            .map_err(|error| Error::misconfigured("the settings of the shared store are invalid").with_source(error))?;
        let name = settings.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let shared = Arc::new(Shared { target, name, state: Mutex::default() });
        Ok(Self { shared, attempts: Flights::new(TaskTracker::new()) })
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.run(|mut connection| async move { command.query_async(&mut connection).await }).await
    }

    /// Runs a script.
    pub(super) async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        self.run(|mut connection| async move { script.invoke_async(&mut connection).await }).await
    }

    /// Runs an operation within the time limit. Repeats it once if the connection was closed since its last use.
    async fn run<T, F>(&self, operation: impl Fn(Connection) -> F) -> Result<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let used = Used { shared: &self.shared, number: AtomicU64::new(0), since: Instant::now() };
        let attempt = async || {
            let Numbered(number, connection) = self.connect().await?;
            used.number.store(number, Relaxed);
            Ok(operation(connection).await)
        };
        let repeated = async {
            match attempt().await? {
                Err(error) if error.is_connection_dropped() => {
                    self.shared.discard(used.number.load(Relaxed));
                    attempt().await
                }
                result => Ok(result),
            }
        };
        match tokio::time::timeout(OPERATION, repeated).await {
            Ok(Ok(result)) => {
                let number = used.number.swap(0, Relaxed);
                result.map_err(|error| self.shared.to_error(number, error))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.shared.unavailable("did not answer in time")),
        }
    }

    /// Returns the open connection, or opens one. Fails at once shortly after a failed attempt.
    async fn connect(&self) -> Result<Numbered> {
        {
            let state = self.shared.state();
            if let Some(current) = &state.current {
                return Ok(current.clone());
            }
            if let Some(failed) = state.failed.as_ref().filter(|failed| failed.at.elapsed() < failed.pause) {
                return Err(Error::caused_by(Arc::clone(&failed.error), "the shared store could not be reached"));
            }
        }
        let shared = Arc::clone(&self.shared);
        match self.attempts.join((), || async move { shared.open().await }).await {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(error)) => Err(Error::caused_by(error, "the shared store could not be reached")),
            None => Err(self.shared.unavailable("could not be reached")),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection for all callers.
    async fn open(&self) -> Result<Numbered, Arc<Error>> {
        let opened = match tokio::time::timeout(CONNECT, self.target.open()).await {
            Ok(opened) => opened.map_err(|error| self.describe(error)),
            Err(_) => Err(self.unavailable("did not answer in time")),
        };
        let mut state = self.state();
        match opened {
            Ok(connection) => {
                state.opened += 1;
                let connection = Numbered(state.opened, connection);
                (state.current, state.failed) = (Some(connection.clone()), None);
                Ok(connection)
            }
            Err(error) => {
                let error = Arc::new(error);
                let pause = state.failed.as_ref().map_or(PAUSES.0, |failed| (failed.pause * 2).min(PAUSES.1));
                state.failed = Some(Failed { error: Arc::clone(&error), at: Instant::now(), pause });
                Err(error)
            }
        }
    }

    /// Drops a connection, so that the next operation opens another one. Operations that use it may still end.
    fn discard(&self, number: u64) {
        let mut state = self.state();
        if state.current.as_ref().is_some_and(|current| current.0 == number) {
            state.current = None;
        }
    }

    /// Converts an error of an operation, and drops the connection if it cannot be used any more.
    fn to_error(&self, number: u64, error: RedisError) -> Error {
        use ServerErrorKind::{BusyLoading, MasterDown, ReadOnly};
        let has_moved = matches!(error.kind(), redis::ErrorKind::Server(BusyLoading | MasterDown | ReadOnly));
        let is_known = !matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
        if error.is_unrecoverable_error() || error.is_timeout() || has_moved || !is_known {
            self.discard(number);
        }
        self.describe(error)
    }

    fn describe(&self, error: RedisError) -> Error {
        let (problem, hint) = if is_refused_login(&error) {
            ("refuses the bridge's password", Some("check `username` and `password_file` in `[server.store]`"))
        } else if error.is_connection_refusal() || error.is_io_error() {
            ("could not be reached", Some("check `urls` in `[server.store]`, and that the server runs"))
        } else {
            match error.code() {
                Some("NOPERM") => {
                    let hint = "give the bridge's user the rights that docs/deploying.md lists";
                    ("refuses a command", Some(hint))
                }
                Some("OOM") => ("is full", Some("raise `maxmemory` of the server")),
                Some("READONLY") => ("is a replica", Some("name the server that accepts writes, or use Sentinels")),
                _ => ("failed", None),
            }
        };
        let described = self.unavailable(problem).with_source(error);
        match hint {
            Some(hint) => described.with_hint(hint),
            None => described,
        }
    }

    fn unavailable(&self, problem: impl Display) -> Error {
        Error::ours(ErrorKind::Unavailable, format!("the shared store at `{}` {problem}", self.name))
    }
}

fn is_refused_login(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}
