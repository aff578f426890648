//! `serve`: the bridge itself, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use idp_bridge_core::{Registry, SystemClock, SystemRandom};
use idp_bridge_server::revocation::FileRevocations;
use idp_bridge_server::{Server, ServerLimits, Tenants};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::no_runtime;
use crate::cli::ConfigOption;
use crate::config::{self, Location, Problem, Settings};
use crate::demo::Demo;
use crate::log;
use crate::report::{Ended, Exit, Failure, print};

/// A bridge waits for identity providers more than it computes.
const MOST_THREADS: usize = 4;
/// The exit code after a second signal.
const KILLED: i32 = 1;

/// How long threads that still work may take after the drain.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// What to serve, and where.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// The address and port to listen on, instead of the configured one; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", value_parser = listen)]
    listen: Option<SocketAddr>,
    /// Make a new list of ended logins where the one in `state_dir` is gone: logins that were ended can be used again
    #[arg(long)]
    accept_lost_revocations: bool,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    config::parse_listen(text).map_err(|wrong| wrong.replace('\n', "; "))
}

/// Runs the command. The first line on standard output is `listening on http://<address>`.
pub(crate) fn run(options: &Options, registry: &Registry) -> Ended {
    let served = match Location::find(options.config.config.as_deref()) {
        Location::Path(path) => Served::configured(config::load(&path, registry)?, options.accept_lost_revocations)?,
        Location::Nowhere => Served::demo()?,
    };
    let listen = options.listen.unwrap_or(served.settings.listen);
    if served.demo.is_some() && !listen.ip().is_loopback() {
        return Err(Problem::new("the demo listens on loopback only: everyone could read its users")
            .hint("use `--listen 127.0.0.1:8080`, or name a configuration with `--config`")
            .into());
    }
    let _log = log::start(&served.settings.log)?;
    if options.accept_lost_revocations {
        warn_of_accepted_loss(served.lost);
    }
    allow_many_files();
    let runtime = runtime()?;
    let ended = runtime.block_on(served.serve(listen));
    // Work that blocks a thread must not hold up the end of the program.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

/// What is served.
struct Served {
    settings: config::Server,
    tenants: Tenants,
    /// The logins that were ended, if a tenant has federation; the demo keeps them in memory.
    revocations: Option<FileRevocations>,
    /// Whether the list that was made before is gone, and a new one was made.
    lost: bool,
    demo: Option<Demo>,
}

impl Served {
    fn configured(settings: Settings, accept_loss: bool) -> Result<Self, Failure> {
        let folder = settings.revocation_folder();
        let lost = folder.filter(|_| accept_loss).map(FileRevocations::accept_loss).transpose();
        let lost = lost.map_err(|error| Problem::of(&error))?.unwrap_or(false);
        let revocations = folder.map(|folder| FileRevocations::open(folder, Arc::new(SystemClock))).transpose();
        let revocations = revocations.map_err(|error| Problem::of(&error))?;
        Ok(Self { settings: settings.server, tenants: settings.tenants, revocations, lost, demo: None })
    }

    fn demo() -> Result<Self, Failure> {
        let (demo, tenants) = Demo::new()?;
        Ok(Self { settings: config::Server::default(), tenants, revocations: None, lost: false, demo: Some(demo) })
    }

    async fn serve(self, listen: SocketAddr) -> Ended {
        // Before anyone can know that the bridge runs, so that no signal is missed.
        let signals = Signals::new().map_err(|error| Problem::new(format!("signals cannot be received: {error}")))?;
        let listener = TcpListener::bind(listen).await.map_err(|error| not_bound(listen, &error))?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let mut announcement = format!("listening on {url}");
        if let Some(demo) = &self.demo {
            tracing::warn!("no configuration was found: this is a demo with sample users in memory");
            announcement = format!("{announcement}\n{}", demo.introduction(&url)?);
        }
        announce(announcement)?;
        self.server()?.serve(listener, signals.first()).await?;
        Ok(Exit::Done)
    }

    fn server(self) -> Result<Server, Problem> {
        let server = Server::new(self.tenants, Arc::new(SystemClock), &SystemRandom, ServerLimits::default());
        let mut server = server.map_err(|error| Problem::new(format!("the system gives no random bytes: {error}")))?;
        if self.demo.is_some() {
            server = server.with_demo();
        }
        if let Some(url) = &self.settings.public_url {
            server = server.with_public_url(&url.0);
        }
        if let Some(revocations) = self.revocations {
            server = server.with_revocations(Arc::new(revocations));
        }
        Ok(server)
    }
}

fn warn_of_accepted_loss(lost: bool) {
    if lost {
        tracing::warn!(
            "the revocation list was gone, and a new one was made: logins that were ended can be used again"
        );
    } else {
        tracing::warn!("no revocation list was lost: start without `--accept-lost-revocations` next time");
    }
}

/// Prints on standard output. A reader that is gone or slow keeps no caller waiting: the bridge serves without it.
fn announce(text: String) -> io::Result<()> {
    let printing = std::thread::Builder::new().name("stdout".into());
    printing.spawn(move || {
        if print(&text).is_err() {
            tracing::warn!("standard output cannot be written: the address is in this log only");
        }
    })?;
    Ok(())
}

/// Each connection is an open file, and the usual limit of 1,024 is for programs that know no other way to wait.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let threads = available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS));
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(no_runtime)
}

fn not_bound(address: SocketAddr, error: &io::Error) -> Problem {
    let problem = Problem::new(format!("the bridge cannot listen on `{address}`: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            problem.hint("another program listens there: stop it, or choose another port with `--listen`")
        }
        io::ErrorKind::PermissionDenied => {
            problem.hint("ports below 1024 need a right: choose a higher one with `--listen`")
        }
        io::ErrorKind::AddrNotAvailable => {
            problem.hint("this machine has no such address: try `--listen 0.0.0.0:8080`")
        }
        _ => problem,
    }
}

/// The signals that end a program, and the one that must not.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    /// Waits for the first signal. The second one ends the program at once, whatever still runs.
    async fn first(mut self) {
        let name = self.next().await;
        tracing::info!(signal = name, "told to stop; a second signal ends the bridge at once");
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "told to stop again: calls in flight are cut off");
            std::process::exit(KILLED);
        });
    }

    /// Waits for the next signal that ends the program, and returns its name.
    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    tracing::warn!(signal = "SIGHUP", "ignored: a changed configuration takes a restart");
                }
            }
        }
    }
}
