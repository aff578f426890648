//! The connection to the server. It is shared by all calls, and opened again when it fails.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use idp_bridge_core::{Error, ErrorKind, Result};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, Pipeline, RedisConnectionInfo,
    RedisError, RedisFuture, RedisResult, ScriptInvocation, ServerErrorKind, TlsCertificates, TlsMode, Value,
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::settings::{RedisSettings, RedisTopology};
use crate::flights::Flights;

/// The time limit of an operation, including a new connection.
const OPERATION: Duration = Duration::from_secs(1);

/// The time limit of an attempt to connect.
const CONNECT: Duration = Duration::from_secs(2);

/// The first and the longest interval between two attempts to connect. Each one is twice as long as the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// The number of commands that wait to be sent. Further ones wait for a place.
const SEND_BUFFER: usize = 1_024;

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

/// The last failed attempt to connect.
struct Failed {
    error: Arc<Error>,
    at: Instant,
    pause: Duration,
}

/// The way to a connection.
enum Target {
    Single(Client),
    Sentinel(tokio::sync::Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

/// An open connection. Its clones share it.
#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl Link {
    /// Creates a link. Fails with `Misconfigured` if the settings are invalid.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        let target = Target::new(settings).map_err(|error| {
            Error::misconfigured("the settings of the shared store are invalid").with_source(error)
        })?;
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
        let used = AtomicU64::new(0);
        let attempt = async || {
            let Numbered(number, connection) = self.connect().await?;
            used.store(number, Relaxed);
            Ok(operation(connection).await)
        };
        let repeated = async {
            match attempt().await? {
                Err(error) if error.is_connection_dropped() => {
                    self.shared.discard(used.load(Relaxed));
                    attempt().await
                }
                result => Ok(result),
            }
        };
        match tokio::time::timeout(OPERATION, repeated).await {
            Ok(Ok(result)) => result.map_err(|error| self.shared.to_error(used.load(Relaxed), error)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.shared.discard(used.load(Relaxed));
                Err(self.shared.unavailable("did not answer in time"))
            }
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

    /// Converts an error of an operation, and drops the connection if it is of no more use.
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

impl Target {
    fn new(settings: &RedisSettings) -> RedisResult<Self> {
        let RedisSettings { servers, topology, uses_tls, ca_pem, database, username, password, .. } = settings;
        if *uses_tls {
            // Fails if the program has chosen a provider already.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let certificates = TlsCertificates { client_tls: None, root_cert: ca_pem.clone() };
        let certificates = Some(certificates).filter(|_| *uses_tls);
        let addresses = servers.iter().map(|server| match uses_tls {
            true => {
                ConnectionAddr::TcpTls { host: server.host.clone(), port: server.port, insecure: false, tls_params: None }
            }
            false => ConnectionAddr::Tcp(server.host.clone(), server.port),
        });
        let tcp = TcpSettings::default().set_nodelay(true);
        let mut login = RedisConnectionInfo::default().set_db(i64::from(*database));
        if let Some(username) = username {
            login = login.set_username(username);
        }
        if let Some(password) = password {
            login = login.set_password(password.expose());
        }
        let to_info = |address| -> RedisResult<ConnectionInfo> {
            let info = redis::IntoConnectionInfo::into_connection_info(address)?;
            Ok(info.set_redis_settings(login.clone()).set_tcp_settings(tcp.clone()))
        };
        match topology {
            RedisTopology::Single => {
                let Some(address) = addresses.into_iter().next() else { return Err(no_servers()) };
                let info = to_info(address)?;
                Ok(Self::Single(match certificates {
                    Some(certificates) => Client::build_with_tls(info, certificates)?,
                    None => Client::open(info)?,
                }))
            }
            RedisTopology::Sentinel { master } => {
                let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
                    .set_client_to_redis_db(i64::from(*database))
                    .set_client_to_redis_tcp_settings(tcp.clone())
                    .set_client_to_sentinel_tcp_settings(tcp);
                if let Some(certificates) = certificates {
                    builder = builder
                        .set_client_to_redis_tls_mode(TlsMode::Secure)
                        .set_client_to_redis_certificates(certificates.clone())
                        .set_client_to_sentinel_certificates(certificates);
                }
                if let Some(username) = username {
                    builder = builder.set_client_to_redis_username(username);
                }
                if let Some(password) = password {
                    builder = builder.set_client_to_redis_password(password.expose());
                }
                Ok(Self::Sentinel(tokio::sync::Mutex::new(builder.build()?)))
            }
            RedisTopology::Cluster => {
                let nodes: Vec<_> = addresses.map(to_info).collect::<RedisResult<_>>()?;
                let mut builder = ClusterClientBuilder::new(nodes)
                    .connection_timeout(OPERATION)
                    .response_timeout(OPERATION)
                    .retries(3)
                    .tcp_settings(tcp);
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                Ok(Self::Cluster(builder.build()?))
            }
        }
    }

    async fn open(&self) -> RedisResult<Connection> {
        // Each operation has its own time limit.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(CONNECT))
            .set_pipeline_buffer_size(SEND_BUFFER);
        Ok(match self {
            Self::Single(client) => {
                Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Self::Sentinel(client) => {
                Connection::Server(client.lock().await.get_async_connection_with_config(&config).await?)
            }
            Self::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }
}

fn no_servers() -> RedisError {
    RedisError::from((redis::ErrorKind::InvalidClientConfig, "no server is configured"))
}
