//! The labs: identity providers on this machine with sample users, and configurations for the bridge.

mod better_auth;
mod cognito;
mod firebase;
mod keycloak;
mod kratos;
mod oidc;
pub(crate) mod packages;
mod parse_server;
mod place;
mod pocketbase;
mod postgres;
mod scim;
mod server;
mod settings;

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use self::place::Place;
use self::server::Launched;
use self::settings::{Bridge, SampleUser};
use crate::environment::readable;
use crate::prerequisites::{self, Tool};
use crate::workspace::Workspace;
use crate::{files, process, status};

/// The number of further ports to try after the usual one.
const PORT_TRIES: u16 = 100;

/// A lab on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Keycloak with a new realm, and an SMTP server that keeps its mails
    Keycloak,
    /// ministack, which stands in for Amazon Cognito, with a new user pool
    Cognito,
    /// node-oidc-provider, an OpenID Provider, with applications and users
    Oidc,
    /// PocketBase, which a definition of the connector `http` describes, with users
    Pocketbase,
    /// scim2-server, which a definition of the connector `http` describes
    Scim2,
    /// An application with better-auth, which a definition of the connector `http` describes, with users
    BetterAuth,
    /// The Authentication emulator of Firebase, which a definition of the connector `http` describes, with users
    Firebase,
    /// Ory Kratos, which a definition of the connector `http` describes, with users
    Kratos,
    /// An application with Parse Server, which a definition of the connector `http` describes, with users
    ParseServer,
}

impl Name {
    fn description(self) -> &'static Description {
        match self {
            Self::Keycloak => &keycloak::LAB,
            Self::Cognito => &cognito::LAB,
            Self::Oidc => &oidc::LAB,
            Self::Pocketbase => &pocketbase::LAB,
            Self::Scim2 => &scim::LAB,
            Self::BetterAuth => &better_auth::LAB,
            Self::Firebase => &firebase::LAB,
            Self::Kratos => &kratos::LAB,
            Self::ParseServer => &parse_server::LAB,
        }
    }
}

/// The options of `cargo xtask lab`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The identity provider
    lab: Name,
    #[command(flatten)]
    ports: Ports,
    /// Leave the lab running in the background
    #[arg(long)]
    detach: bool,
    /// Stop the running lab
    #[arg(long, conflicts_with_all = ["port", "management_port", "smtp_port", "bridge_port", "detach"])]
    stop: bool,
}

/// The ports on 127.0.0.1 that were chosen on the command line.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Ports {
    /// Port of the identity provider [default: the first free one from 8180 (keycloak), 4566 (cognito), 8280 (oidc), 8380
    /// (pocketbase), 8480 (scim2), 8580 (better-auth), 8680 (firebase), 8780 (kratos) or 8980
    /// (parse-server)]
    #[arg(long)]
    port: Option<u16>,
    /// Port of Keycloak's health [default: the first free one from 9180]
    #[arg(long)]
    management_port: Option<u16>,
    /// Port of the SMTP server for Keycloak [default: the first free one from 8125]
    #[arg(long)]
    smtp_port: Option<u16>,
    /// Port in the bridge's configuration [default: the first free one from 8080 (keycloak) to 8088 (parse-server)]
    #[arg(long)]
    bridge_port: Option<u16>,
}

/// The parts of a lab.
#[derive(Debug)]
pub(crate) struct Description {
    /// The name on the command line and of the files.
    name: &'static str,
    /// The tenant in the bridge's configuration.
    tenant: &'static str,
    /// The programs that the lab needs.
    tools: &'static [&'static Tool],
    /// The server beside that with the name of the lab.
    other_server: Option<&'static str>,
    /// The usual port of the bridge.
    bridge_port: u16,
    /// Whether the connector has calls about users.
    has_calls: bool,
    /// Installs and starts the servers, for a bridge on this port.
    start: Start,
}

type Start = fn(&Place, &Ports, u16) -> Result<Started>;

impl Description {
    const fn new(name: &'static str, tenant: &'static str, bridge_port: u16, start: Start) -> Self {
        Self { name, tenant, tools: &[], other_server: None, bridge_port, has_calls: true, start }
    }
}

/// Servers that run, and their settings.
#[derive(Debug)]
struct Started {
    servers: Vec<Launched>,
    /// The name and version of the identity provider.
    title: String,
    /// Names and addresses to print.
    parts: Vec<(&'static str, String)>,
    users: Vec<SampleUser>,
    /// The settings for tests, without those of the bridge.
    settings: Value,
    /// The tables of the bridge's configuration.
    connector: Value,
    federation: Value,
}

impl Started {
    /// Returns a server that the definition with the name of the lab describes, without a title, addresses and users.
    fn from_definition(lab: &Description, server: Launched, settings: Value, secrets: Value) -> Self {
        Self {
            servers: vec![server],
            title: String::new(),
            parts: Vec::new(),
            users: Vec::new(),
            connector: json!({"type": "http", "definition": lab.name, "settings": settings, "secrets": secrets}),
            federation: Value::Null,
            settings: json!({"definition": {"name": lab.name, "settings": settings, "secrets": secrets}}),
        }
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let place = Place::new(folder(workspace), options.lab.description());
    if options.stop {
        return place.stop();
    }
    if options.lab != Name::Keycloak && options.ports.management_port.or(options.ports.smtp_port).is_some() {
        bail!("only the lab `keycloak` has `--management-port` and `--smtp-port`");
    }
    let lab = Lab::start(place, &options.ports)?;
    lab.introduce(options.detach);
    if options.detach { lab.leave_running() } else { lab.wait() }
}

/// Returns the folder of all labs. Tests find the settings there.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join(".lab")
}

/// Fails if a lab runs.
pub(crate) fn expect_none(workspace: &Workspace) -> Result<()> {
    Name::value_variants()
        .iter()
        .try_for_each(|name| Place::new(folder(workspace), name.description()).lock().map(drop))
}

/// Starts a lab on free ports.
pub(crate) fn start(name: Name, workspace: &Workspace) -> Result<Lab> {
    let lab = Lab::start(Place::new(folder(workspace), name.description()), &Ports::default())?;
    status::step("Started", format!("the lab `{}` in {}", lab.place.lab.name, status::elapsed(lab.took)));
    Ok(lab)
}

/// Starts every lab on free ports.
pub(crate) fn start_all(workspace: &Workspace) -> Result<Vec<Lab>> {
    Name::value_variants().iter().map(|name| start(*name, workspace)).collect()
}

/// Returns the wanted port, which must be free, or the first free one from the usual one on.
///
/// The usual ports are below those that systems assign, so that a restarted server finds its port free.
fn choose_port(wanted: Option<u16>, usual: u16) -> Result<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match wanted {
        Some(port) => bind(port).map(|_| port).with_context(|| {
            format!("port {port} on 127.0.0.1 cannot be used; hint: without the option, a free port is chosen")
        }),
        None => (usual..usual.saturating_add(PORT_TRIES))
            .find(|port| bind(*port).is_ok())
            .with_context(|| format!("no port from {usual} on is free")),
    }
}

/// A running lab. It is stopped when dropped.
#[derive(Debug)]
pub(crate) struct Lab {
    place: Place,
    started: Started,
    bridge: Bridge,
    took: Duration,
    leave_running: bool,
    // Dropped last.
    _lock: File,
}

impl Lab {
    fn start(place: Place, ports: &Ports) -> Result<Self> {
        prerequisites::ensure(place.lab.tools)?;
        let lock = place.take()?;
        let begun = Instant::now();
        let bridge_port = choose_port(ports.bridge_port, place.lab.bridge_port)?;
        let started = (place.lab.start)(&place, ports, bridge_port)?;
        let bridge = settings::configure_bridge(&place, bridge_port, &started.connector, &started.federation)?;
        let settings = settings::to_json(&started.settings, &bridge)?;
        files::write_with_mode(&place.settings(), &settings, files::PRIVATE)?;
        Ok(Self { place, started, bridge, took: begun.elapsed(), leave_running: false, _lock: lock })
    }

    fn leave_running(mut self) -> Result<()> {
        files::write(&self.place.detached(), "")?;
        self.leave_running = true;
        self.started.servers.iter_mut().for_each(Launched::leave_running);
        Ok(())
    }

    /// Waits for Ctrl-C, or until the lab is stopped in another terminal.
    fn wait(self) -> Result<()> {
        while !process::is_interrupted() && self.place.settings().exists() {
            process::pause();
        }
        status::step("Stopping", "the lab");
        drop(self);
        status::step("Stopped", "the lab");
        Ok(())
    }

    fn introduce(&self, detached: bool) {
        let Started { title, parts, users, .. } = &self.started;
        status::step("Ready", format!("{title}, after {}", status::elapsed(self.took)));
        let parts: String = parts.iter().map(|(name, address)| format!("  {name:<10} {address}\n")).collect();
        let users: String = users.iter().map(SampleUser::line).collect();
        let (settings, config) = (readable(&self.place.settings()), readable(&self.bridge.config));
        let end = match detached {
            true => format!("`cargo xtask lab {} --stop` stops the lab.", self.place.lab.name),
            false => "Ctrl-C stops the lab.".to_owned(),
        };
        status::plain(format!(
            "
{parts}  settings   {settings}
  users
{users}
In another terminal:

  cargo run -- doctor --config {config}
  cargo run -- serve --config {config}{call}

{end}",
            call = self.sample_call().unwrap_or_default(),
        ));
    }

    fn sample_call(&self) -> Option<String> {
        let Bridge { listen, tenant, webhook_key_file, .. } = &self.bridge;
        let email = self.started.users.first().filter(|_| self.place.lab.has_calls)?.email.as_str();
        let key = readable(webhook_key_file);
        let options = format!("--url http://{listen} --tenant {tenant} --key-file {key}");
        Some(format!("\n  cargo run -- call get-by-email {email} {options}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Removed before the servers are stopped, so that no test finds a lab that is ending.
        if !self.leave_running {
            let _ = files::remove(&self.place.settings());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_port_must_be_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = choose_port(Some(port), 0).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(choose_port(None, port).unwrap() > port);
    }
}
