//! The command `serve`: runs the bridge until it receives SIGTERM or SIGINT.

mod reload;
mod systemd;
mod user_salt;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use idp_bridge_core::{Finding, Registry, SystemClock, SystemRandom, TenantId, Verdict};
use idp_bridge_server::store::{FileStore, Store};
use idp_bridge_server::{Audit, CurrentTls, Server, Tenants, Tls};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::reload::{ReloadTrigger, log_certificate};
use super::{runtime_error, store};
use crate::cli::ConfigOption;
use crate::config::{self, Loader, Location, Problem, Settings, StoreSettings};
use crate::demo::Demo;
use crate::log::{self, RunningLog};
use crate::report::{CommandResult, Exit, Failure, print};
use crate::sqlite::{SqliteOption, SqliteUsers};
use crate::traces::SpanQueue;

/// Maximum number of worker threads. The bridge mostly waits for identity providers.
const MAX_THREADS: usize = 4;
/// The exit code after a second signal.
const KILLED: i32 = 1;

/// Maximum time for blocking work to finish after the drain.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    sqlite: SqliteOption,
    /// The platform's id of the tenant of `--sqlite` [default: default]
    #[arg(long, value_name = "ID", requires = "sqlite")]
    tenant: Option<TenantId>,
    /// The address and port to listen on, instead of the configured one; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    listen: Option<SocketAddr>,
    /// Create a new revocation list if the one in `state_dir` is gone; ended logins are accepted again
    #[arg(long)]
    accept_lost_revocations: bool,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    config::parse_listen(text).map_err(|wrong| wrong.replace('\n', "; "))
}

/// Runs the command. The first line on standard output is `listening on http://<address>`, or `https` with TLS.
pub(crate) fn run(options: &Options, registry: &Registry) -> CommandResult {
    let setup = match (&options.sqlite.sqlite, Location::find(options.config.config.as_deref())) {
        (Some(path), _) => Setup::sqlite(SqliteUsers::create(path, options.tenant.clone())?)?,
        (None, Location::Path(path)) => {
            Setup::configured(Loader::start(&path, registry)?, options.accept_lost_revocations)?
        }
        (None, Location::Missing) => Setup::demo()?,
    };
    let listen = options.listen.unwrap_or(setup.settings.listen);
    if setup.demo.is_some() && !listen.ip().is_loopback() {
        return Err(Problem::new("the demo listens on loopback only, since its users have no protection")
            .with_hint("use `--listen 127.0.0.1:8080`, or name a configuration with `--config`")
            .into());
    }
    let log = log::start(&setup.settings.log)?;
    if options.accept_lost_revocations {
        log_accepted_loss(setup.is_list_lost);
    }
    raise_open_file_limit();
    let runtime = runtime()?;
    let result = runtime.block_on(setup.serve(listen, &log));
    // Blocking work must not delay the exit.
    runtime.shutdown_timeout(SHUTDOWN);
    result
}

/// The settings and tenants to serve.
struct Setup {
    settings: config::Server,
    tenants: Tenants,
    store: Store,
    store_settings: StoreSettings,
    /// The certificate. `None` for clear text.
    tls: Option<Tls>,
    /// Whether the revocation list was gone, and a new one was created.
    is_list_lost: bool,
    audit: Option<Audit>,
    traces: Option<config::Traces>,
    /// Loads the configuration again. The demo has none.
    loader: Option<Loader>,
    demo: Option<Demo>,
    sqlite: Option<SqliteUsers>,
}

impl Setup {
    fn configured((settings, mut loader): (Settings, Loader), accept_loss: bool) -> Result<Self, Failure> {
        let Settings { server: settings, store: store_settings, tenants, tls, audit, traces, .. } = settings;
        let is_list_lost = match &store_settings {
            StoreSettings::File(folder) if accept_loss => {
                FileStore::accept_loss(folder).map_err(|error| Problem::from_error(&error))?
            }
            StoreSettings::Memory => {
                loader.refuse_federation();
                false
            }
            StoreSettings::File(_) | StoreSettings::Redis(_) => false,
        };
        let store = store::open(&store_settings)?;
        let audit = audit.as_ref().map(open_audit).transpose()?;
        Ok(Self {
            tls,
            is_list_lost,
            audit,
            traces,
            loader: Some(loader),
            ..Self::unconfigured(settings, tenants, store, store_settings)
        })
    }

    /// Serves the users of a file. Keys and store are beside it.
    fn sqlite(users: SqliteUsers) -> Result<Self, Failure> {
        let tenants = Tenants::new([users.to_served_tenant()?]).map_err(|error| Problem::new(error.to_string()))?;
        let folder = users.create_state_folder()?;
        let settings = config::Server { state_dir: Some(folder.clone()), ..config::Server::default() };
        let store_settings = StoreSettings::File(folder);
        let store = store::open(&store_settings)?;
        Ok(Self { sqlite: Some(users), ..Self::unconfigured(settings, tenants, store, store_settings) })
    }

    fn demo() -> Result<Self, Failure> {
        let (demo, tenants) = Demo::new()?;
        // No load balancer waits for a demo.
        let settings = config::Server { shutdown_delay: config::ShutdownDelay::ZERO, ..config::Server::default() };
        let (store, store_settings) = (store::in_memory()?, StoreSettings::Memory);
        Ok(Self { demo: Some(demo), ..Self::unconfigured(settings, tenants, store, store_settings) })
    }

    fn unconfigured(settings: config::Server, tenants: Tenants, store: Store, store_settings: StoreSettings) -> Self {
        Self {
            settings,
            tenants,
            store,
            store_settings,
            tls: None,
            is_list_lost: false,
            audit: None,
            traces: None,
            loader: None,
            demo: None,
            sqlite: None,
        }
    }

    async fn serve(mut self, listen: SocketAddr, log: &RunningLog) -> CommandResult {
        // Signals are handled before the address is announced, so that none is missed.
        let signals = Signals::new().map_err(|error| Problem::new(format!("signals cannot be received: {error}")))?;
        let listener = TcpListener::bind(listen).await.map_err(|error| bind_error("listen", listen, &error))?;
        let probes = self.settings.metrics_listen.map(bind_probes).transpose()?;
        let address = listener.local_addr().map_err(|error| bind_error("listen", listen, &error))?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let mut announcement = format!("listening on {url}");
        if let Some(demo) = &self.demo {
            tracing::warn!("no configuration was found: this is a demo with sample users in memory");
            announcement = format!("{announcement}\n{}", demo.introduction(&url)?);
        }
        if let Some(users) = &self.sqlite {
            announcement = format!("{announcement}\n{}", users.introduction(&url));
        }
        announce(announcement).map_err(cannot_serve)?;
        let loader = self.loader.take();
        if let StoreSettings::Redis(_) = &self.store_settings {
            tokio::spawn(log_store_findings(self.store_settings.clone()));
        }
        let audit = self.audit.clone();
        let traces = self.traces.as_ref().map(start_traces).transpose()?;
        let (mut server, tls) = self.into_server()?;
        if let Some((queue, ratio)) = &traces {
            server = server.with_traces(queue.clone(), *ratio);
        }
        let lost = log.lost.clone();
        server = server.with_log_filter(log.filter.clone()).with_lost_lines(move || lost.total() as u64);
        if let Some((probes, address)) = probes {
            tracing::info!(%address, "serving probes");
            server = server.with_probes(probes);
        }
        let reload = loader.map(|loader| reload::start(loader, server.tenants(), tls)).transpose();
        let reload = reload.map_err(cannot_serve)?;
        systemd::notify_ready();
        let served = server.serve(listener, signals.wait_for_stop(Hangup { reload, audit })).await;
        if let Some((queue, _)) = traces {
            queue.stop();
        }
        served.map(|()| Exit::Done).map_err(cannot_serve)
    }

    fn into_server(self) -> Result<(Server, Option<Arc<CurrentTls>>), Problem> {
        let server = Server::new(self.tenants, Arc::new(SystemClock), &SystemRandom, self.settings.limits());
        let mut server = server.map_err(|error| Problem::new(format!("the system has no random bytes: {error}")))?;
        if let Some(salt) = user_salt::load(&self.settings)? {
            server = server.with_user_salt(salt.expose().as_bytes());
        }
        if let Some(token) = &self.settings.metrics_token {
            server = server.with_operator_token(token.expose().trim());
        }
        if let Some(interval) = self.settings.doctor_interval {
            server = server.with_doctor(interval.0);
        }
        if self.demo.is_some() {
            server = server.with_demo();
        }
        if let Some(url) = &self.settings.public_url {
            server = server.with_public_url(&url.0);
        }
        server = server.with_store(self.store);
        if let Some(audit) = self.audit {
            server = server.with_audit(audit);
        }
        if self.settings.h2c {
            server = server.with_h2c();
        }
        server = server.with_proxies(self.settings.proxy_protocol_from.iter().map(|network| network.0).collect());
        let Some(tls) = self.tls else { return Ok((server, None)) };
        log_certificate(&tls, "serving TLS");
        let (server, tls) = server.with_tls(tls);
        Ok((server, Some(tls)))
    }
}

/// Starts the export of traces, and returns it with the share of traces to export.
fn start_traces(settings: &config::Traces) -> Result<(Arc<SpanQueue>, f64), Problem> {
    let queue = Arc::new(SpanQueue::start(settings)?);
    tracing::info!(endpoint = %settings.url(), sample_ratio = settings.sample_ratio, "exporting traces");
    Ok((queue, settings.sample_ratio))
}

fn open_audit(settings: &config::Audit) -> Result<Audit, Problem> {
    Audit::open(&settings.to_settings(), Arc::new(SystemClock)).map_err(|error| {
        let problem = Problem::new(format!("the audit cannot be written: {error}"));
        let hint = "check the folder, the permissions and the space of `audit.file`";
        settings.file.iter().fold(problem, |problem, file| problem.in_file(file)).with_hint(hint)
    })
}

fn log_accepted_loss(is_list_lost: bool) {
    if is_list_lost {
        tracing::warn!("the revocation list was gone, and a new one was created: ended logins are accepted again");
    } else {
        tracing::warn!("no revocation list was lost: remove `--accept-lost-revocations`");
    }
}

/// Logs the failed checks of the store. The bridge serves in any case, since reads need no store.
async fn log_store_findings(settings: StoreSettings) {
    for finding in store::diagnose(&settings).await.into_iter().filter(|finding| finding.verdict == Verdict::Failed) {
        let Finding { check, detail, fix, .. } = finding;
        tracing::error!(check, detail, fix, "a check of the shared store failed");
    }
}

/// Prints to standard output on a separate thread, so that a slow or missing reader does not delay the bridge.
fn announce(text: String) -> io::Result<()> {
    let printing = std::thread::Builder::new().name("stdout".into());
    printing.spawn(move || {
        if print(&text).is_err() {
            tracing::warn!("standard output cannot be written: the address is in the log only");
        }
    })?;
    Ok(())
}

/// Raises the limit of open files to its maximum. The usual limit of 1,024 would limit the number of connections.
fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the open file limit cannot be raised");
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let threads = available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(runtime_error)
}

/// Listens for probes, and returns the address with the port that the system has chosen.
fn bind_probes(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), Problem> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|error| bind_error("metrics_listen", address, &error))
}

fn cannot_serve(error: io::Error) -> Failure {
    Failure::negative(Problem::new(format!("the bridge cannot serve: {error}")))
}

fn bind_error(setting: &str, address: SocketAddr, error: &io::Error) -> Problem {
    let problem = Problem::new(format!("the bridge cannot listen on `{address}`: {error}"));
    let option = if setting == "listen" { "`--listen`".to_owned() } else { format!("`server.{setting}`") };
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program uses this port: stop it, or choose another port with {option}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need a privilege: choose a higher one with {option}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine does not have this address: use `0.0.0.0:{}` with {option}", address.port())
        }
        _ => return problem,
    };
    problem.with_hint(hint)
}

/// SIGTERM and SIGINT, which stop the bridge, and SIGHUP, which reloads the configuration.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// The actions of a SIGHUP: it reloads the configuration, and opens the file of the audit again.
struct Hangup {
    reload: Option<ReloadTrigger>,
    audit: Option<Audit>,
}

impl Hangup {
    fn handle(&self) {
        systemd::notify_reloading();
        if let Some(audit) = &self.audit {
            audit.reopen();
        }
        match &self.reload {
            Some(reload) => reload.reload(),
            None => {
                tracing::warn!(signal = "SIGHUP", "ignored: there is no configuration");
                systemd::notify_ready();
            }
        }
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    /// Waits for the first signal that stops the bridge. A second one exits at once.
    async fn wait_for_stop(mut self, hangup: Hangup) {
        let name = self.next_stop(&hangup).await;
        tracing::info!(signal = name, "stopping; a second signal ends the bridge at once");
        systemd::notify_stopping();
        tokio::spawn(async move {
            let name = self.next_stop(&hangup).await;
            tracing::warn!(signal = name, "second signal: calls in flight are cut off");
            std::process::exit(KILLED);
        });
    }

    /// Waits for the next SIGTERM or SIGINT and returns its name.
    async fn next_stop(&mut self, hangup: &Hangup) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => hangup.handle(),
            }
        }
    }
}
