//! The lab: an identity provider on this machine with sample users, and a configuration for the bridge.

mod bridge;
mod cognito;
mod keycloak;
mod oidc;
mod place;
mod ports;
mod python;
mod server;
mod settings;

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use self::place::Place;
use self::server::Launched;
use self::settings::{Bridge, SampleUser};
use crate::environment::readable;
use crate::interrupt::Interrupt;
use crate::prerequisites::{self, Node, Tools};
use crate::workspace::Workspace;
use crate::{files, status};

/// Which identity provider.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Keycloak with a fresh realm `acme`, an SMTP sink, and a configuration for the bridge; until Ctrl-C.
    ///
    /// Everything lies under `.lab/` and listens on 127.0.0.1 only; `xtask/README.md` describes the files.
    Keycloak(Options<keycloak::Ports>),
    /// A stand-in for Amazon Cognito with a fresh user pool, and a configuration for the bridge; until Ctrl-C.
    ///
    /// Everything lies under `.lab/` and listens on 127.0.0.1 only; `xtask/README.md` describes the files.
    Cognito(Options<cognito::Ports>),
    /// node-oidc-provider, an OpenID Provider, with applications and users, and a configuration for the bridge; until Ctrl-C.
    ///
    /// Everything lies under `.lab/` and listens on 127.0.0.1 only; `xtask/README.md` describes the files.
    Oidc(Options<oidc::Ports>),
}

/// How to run it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options<Ports: clap::Args> {
    #[command(flatten)]
    ports: Ports,
    /// Leave it running in the background; `--stop` stops it
    #[arg(long)]
    detach: bool,
    /// Stop the one that runs
    #[arg(long, exclusive = true)]
    stop: bool,
}

/// Runs the command.
pub(crate) fn run(command: Command, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    match command {
        Command::Keycloak(options) => run_one(&keycloak::place(workspace), &options, interrupt, |ports| {
            keycloak::start(workspace, ports, &prerequisites::ensure(interrupt)?, interrupt)
        }),
        Command::Cognito(options) => run_one(&cognito::place(workspace), &options, interrupt, |ports| {
            cognito::start(workspace, ports, &prerequisites::ensure_python(interrupt)?, interrupt)
        }),
        Command::Oidc(options) => run_one(&oidc::place(workspace), &options, interrupt, |ports| {
            oidc::start(workspace, ports, &prerequisites::ensure_node(interrupt)?, interrupt)
        }),
    }
}

fn run_one<Ports: clap::Args>(
    place: &Place,
    options: &Options<Ports>,
    interrupt: &Interrupt,
    start: impl FnOnce(&Ports) -> Result<Lab>,
) -> Result<()> {
    if options.stop {
        return place.stop(interrupt);
    }
    let lab = start(&options.ports)?;
    lab.introduce(options.detach);
    if options.detach { lab.leave_running() } else { lab.wait(interrupt) }
}

/// Where the files of all labs lie: in this folder tests find their settings.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join(".lab")
}

/// Fails if a lab runs already, before somebody waits long for their own.
pub(crate) fn expect_none(workspace: &Workspace) -> Result<()> {
    keycloak::place(workspace).lock()?;
    cognito::place(workspace).lock()?;
    oidc::place(workspace).lock().map(drop)
}

/// Starts the lab with Keycloak, on free ports.
pub(crate) fn start_keycloak(workspace: &Workspace, tools: &Tools, interrupt: &Interrupt) -> Result<Lab> {
    keycloak::start(workspace, &keycloak::Ports::default(), tools, interrupt)
}

/// Starts one of each, on free ports.
pub(crate) fn start_all(workspace: &Workspace, tools: &Tools, node: &Node, interrupt: &Interrupt) -> Result<[Lab; 3]> {
    let keycloak = start_keycloak(workspace, tools, interrupt)?;
    let cognito = cognito::start(workspace, &cognito::Ports::default(), &tools.python, interrupt)?;
    let oidc = oidc::start(workspace, &oidc::Ports::default(), node, interrupt)?;
    Ok([keycloak, cognito, oidc])
}

/// A running lab. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Lab {
    place: Place,
    introduction: Introduction,
    took: Duration,
    leave_running: bool,
    // Dropped, and so stopped, in this order; the lock last.
    servers: Vec<Launched>,
    _lock: File,
}

/// What people are told about a lab that is ready.
#[derive(Debug)]
struct Introduction {
    /// What runs, in a few words.
    title: String,
    /// Where its parts are, a line each.
    parts: String,
    users: Vec<SampleUser>,
    bridge: Bridge,
    /// Whether the connector has calls about users.
    has_calls: bool,
}

impl Lab {
    /// A lab whose servers run: from here on others find it by its settings.
    fn ready(
        place: Place,
        lock: File,
        started: Instant,
        servers: Vec<Launched>,
        (settings, introduction): (impl Serialize, Introduction),
    ) -> Result<Self> {
        settings::write(&settings, place.settings())?;
        Ok(Self { place, introduction, took: started.elapsed(), leave_running: false, servers, _lock: lock })
    }

    /// What it is, such as `keycloak`.
    pub(crate) fn name(&self) -> &'static str {
        self.place.name()
    }

    /// How long the start took, without what was installed before it.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    fn leave_running(mut self) -> Result<()> {
        files::write(&self.place.detached(), "")?;
        self.leave_running = true;
        self.servers.iter_mut().for_each(Launched::leave_running);
        Ok(())
    }

    /// Waits for Ctrl-C, or until another terminal stopped the lab.
    fn wait(self, interrupt: &Interrupt) -> Result<()> {
        while !interrupt.is_raised() && self.place.settings().exists() {
            interrupt.rest(Duration::from_millis(500));
        }
        status::step("Stopping", "the lab");
        drop(self);
        status::step("Stopped", "the lab");
        Ok(())
    }

    fn introduce(&self, detached: bool) {
        let Introduction { title, parts, users, bridge, has_calls } = &self.introduction;
        status::step("Ready", format!("{title}, after {}", status::elapsed(self.took)));
        let end = if detached {
            format!("`cargo xtask lab {} --stop` stops the lab.", self.name())
        } else {
            "Ctrl-C stops the lab.".to_owned()
        };
        let call = has_calls.then(|| {
            let email = users.first().map_or("", |user| user.email.as_str());
            let Bridge { listen, tenant, webhook_key_file, .. } = bridge;
            let key = readable(webhook_key_file);
            format!(
                "\n  cargo run -- call get-by-email {email} --url http://{listen} --tenant {tenant} --key-file {key}"
            )
        });
        status::plain(format!(
            "
{parts}  settings   {settings}
  users
{users}
In another terminal:

  cargo run -- doctor --config {config}
  cargo run -- serve --config {config}{call}

{end}",
            call = call.unwrap_or_default(),
            settings = readable(self.place.settings()),
            users = users.iter().map(SampleUser::line).collect::<String>(),
            config = readable(&bridge.config),
        ));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The file goes first, so that nobody trusts a lab that is being stopped. The servers follow by their own drops.
        if !self.leave_running {
            let _ = files::remove(self.place.settings());
        }
    }
}
