//! The server: its settings, its accept loop and its shutdown.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use idp_bridge_core::{Clock, Random};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::accept::Connections;
use crate::access::OperatorAccess;
use crate::audit::Audit;
use crate::connection::Listening;
use crate::doctor;
use crate::limits::ServerLimits;
use crate::log_filter::{LogFilter, LogLevel};
use crate::probes::Probes;
use crate::router::Router;
use crate::state::ServerState;
use crate::store::Store;
use crate::telemetry::TraceExporter;
use crate::tenants::{CurrentTenants, Tenants};
use crate::tls::{CurrentTls, Tls};

/// The interval of a timer that is earlier than those of calls.
const TICK: Duration = Duration::from_secs(1);

/// Completes when the server should stop.
type Shutdown<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// A server that is ready to accept connections.
pub struct Server {
    state: ServerState,
    listening: Listening,
    probes: Option<std::net::TcpListener>,
    /// The interval of the diagnoses.
    doctor: Option<Duration>,
}

impl Server {
    /// Creates a server for these tenants, with a store in memory. Fails if the system has no randomness.
    pub fn new(
        tenants: Tenants,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        limits: ServerLimits,
    ) -> std::io::Result<Self> {
        let state = ServerState::new(tenants, clock, random, limits)?;
        Ok(Self { state, listening: Listening::default(), probes: None, doctor: None })
    }

    /// Returns the tenants, which can be replaced while the server runs.
    pub fn tenants(&self) -> Arc<CurrentTenants> {
        Arc::clone(&self.state.tenants)
    }

    /// Replaces the store in memory by one that survives a restart, or that several bridges share.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Self {
        self.state.store = store;
        self
    }

    /// Sets the public address of the bridge. Without it no tenant's `federation` document is served.
    #[must_use]
    pub fn with_public_url(mut self, url: &str) -> Self {
        self.state.public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Marks the server in `/readyz` as a demo with sample users.
    #[must_use]
    pub fn with_demo(mut self) -> Self {
        self.state.is_demo = true;
        self
    }

    /// Sets the salt of the hashes of users in the log, which makes them equal after a restart and in other processes.
    #[must_use]
    pub fn with_user_salt(mut self, salt: &[u8]) -> Self {
        self.state.key.set_user_salt(salt);
        self
    }

    /// Lets operators replace the filter of the log at `/log-level` of the listener for probes.
    #[must_use]
    pub fn with_log_filter(mut self, filter: Arc<dyn LogFilter>) -> Self {
        self.state.log_level = Some(LogLevel::new(filter));
        self
    }

    /// Sets the function that returns the number of lines that the log has lost, for the metrics.
    #[must_use]
    pub fn with_lost_lines(mut self, lost: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.state.lost_lines = Some(Box::new(lost));
        self
    }

    /// Exports traces: those that authenticated callers record, and this share of all others, from 0 to 1.
    #[must_use]
    pub fn with_traces(self, exporter: Arc<dyn TraceExporter>, ratio: f64) -> Self {
        self.state.telemetry.export_traces(exporter, ratio);
        self
    }

    /// Records writes and logouts in an audit.
    #[must_use]
    pub fn with_audit(mut self, audit: Audit) -> Self {
        self.state.audit = Some(audit);
        self
    }

    /// Diagnoses each tenant once in an interval. `/status` and `/doctor` show the problems.
    #[must_use]
    pub fn with_doctor(mut self, interval: Duration) -> Self {
        self.state.diagnoses = Some(Arc::default());
        self.doctor = Some(interval);
        self
    }

    /// Sets the bearer token for pages that otherwise only loopback peers may use.
    #[must_use]
    pub fn with_operator_token(mut self, token: &str) -> Self {
        self.state.access = OperatorAccess::with_token(token);
        self
    }

    /// Serves TLS, with HTTP/1.1 and HTTP/2. Returns the certificate, too, which can be replaced while the server runs.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> (Self, Arc<CurrentTls>) {
        let tls = Arc::new(CurrentTls::new(tls));
        self.listening.tls = Some(Arc::clone(&tls));
        self.state.tls = Some(Arc::clone(&tls));
        (self, tls)
    }

    /// Accepts HTTP/2 in clear text, too, from clients that begin with it (prior knowledge).
    #[must_use]
    pub fn with_h2c(mut self) -> Self {
        self.listening.h2c = true;
        self
    }

    /// Sets the networks of the proxies with connections that begin with a header of the PROXY protocol, version 2.
    ///
    /// A connection from these networks without such a header is closed.
    #[must_use]
    pub fn with_proxies(mut self, networks: Vec<IpNet>) -> Self {
        self.listening.proxies = networks;
        self
    }

    /// Adds a listener for `/healthz`, `/readyz` and the pages for operators, with a thread of its own.
    ///
    /// The main listener serves the first two, too.
    #[must_use]
    pub fn with_probes(mut self, listener: std::net::TcpListener) -> Self {
        self.probes = Some(listener);
        self
    }

    /// Returns the state without the listeners.
    #[cfg(feature = "__fuzzing")]
    pub(crate) fn into_state(self) -> ServerState {
        self.state
    }

    /// Serves until `shutdown` completes, and then drains.
    ///
    /// From then on `/readyz` responds with 503. Calls are still served for [`ServerLimits::shutdown_delay`].
    /// While draining, idle connections are closed, running calls finish within their deadlines, and new calls are refused.
    /// The drain takes no longer than a call can take.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> std::io::Result<()> {
        self.serve_until(listener, pin!(shutdown)).await
    }

    /// The future is boxed, so that the code of all requests is compiled in this crate alone, and not in each program.
    fn serve_until<'a>(self, listener: TcpListener, shutdown: Shutdown<'a>) -> BoxFuture<'a, std::io::Result<()>> {
        Box::pin(self.run(listener, shutdown))
    }

    async fn run(self, listener: TcpListener, shutdown: Shutdown<'_>) -> std::io::Result<()> {
        let state = Arc::new(self.state);
        let _probes = self.probes.map(|listener| Probes::start(listener, &state)).transpose()?;
        tracing::info!(address = %listener.local_addr()?, "serving");
        // They end with this function.
        let mut background = JoinSet::new();
        background.spawn(tick());
        if let Some((diagnoses, interval)) = state.diagnoses.clone().zip(self.doctor) {
            background.spawn(doctor::run(Arc::clone(&state.tenants), diagnoses, Arc::clone(&state.clock), interval));
        }
        let listening = Arc::new(self.listening);
        let create = || Connections::new(Router::new(Arc::clone(&state)), state.limits.clone(), Arc::clone(&listening));
        let mut connections = create();
        tokio::select! {
            () = connections.accept(&listener) => {}
            () = shutdown => {}
        }
        state.set_stopping();
        connections.retire();
        if !state.limits.shutdown_delay.is_zero() {
            let delay_ms = state.limits.shutdown_delay.as_millis();
            tracing::info!(delay_ms, "shutting down: no longer ready, and serving for the delay");
            // Ends at the delay.
            let _ = tokio::time::timeout(state.limits.shutdown_delay, connections.accept(&listener)).await;
        }
        state.set_draining();
        tracing::info!(connections = connections.len(), "shutting down: running calls are finished");
        // New connections get `shutting_down`. They close when this function returns.
        let mut late = create();
        let time_limit = state.limits.body + state.tenants.load().longest_deadline() + state.limits.write;
        tokio::select! {
            () = late.accept(&listener) => {}
            drained = tokio::time::timeout(time_limit, drain(&state, connections)) => match drained {
                Ok(()) => tracing::info!("drained"),
                Err(_) => tracing::warn!("the drain took too long: the remaining calls are cut off"),
            },
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("tenants", &self.state.tenants).finish_non_exhaustive()
    }
}

/// Keeps a timer that is earlier than those of calls.
///
/// Without it most new timers would be the earliest one, and tokio wakes its driver for such a timer by a system call.
async fn tick() {
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
    }
}

async fn drain(state: &ServerState, connections: Connections<Router>) {
    connections.drain().await;
    state.tasks.close();
    state.tasks.wait().await;
}
