//! The lab: a real Keycloak with a fresh realm, an SMTP sink, and a configuration for the bridge.

mod admin;
mod bridge;
mod keycloak;
mod ports;
mod realm;
mod server;
mod settings;
mod smtp;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::admin::Admin;
use self::keycloak::{ADMIN, Keycloak, Ports, VERSION};
use self::server::{Launched, Server};
use self::settings::Settings;
use crate::environment::readable;
use crate::interrupt::Interrupt;
use crate::prerequisites::{self, Tools};
use crate::workspace::Workspace;
use crate::{files, status};

/// Which identity provider.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Keycloak with a fresh realm `acme`, an SMTP sink, and a configuration for the bridge; until Ctrl-C.
    ///
    /// Everything lies under `.lab/` and listens on 127.0.0.1 only; `xtask/README.md` describes the files.
    Keycloak(Options),
}

/// How to run Keycloak.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Port of Keycloak [default: the first free one from 8180 on]
    #[arg(long)]
    port: Option<u16>,
    /// Port of Keycloak's health [default: the first free one from 9180 on]
    #[arg(long)]
    management_port: Option<u16>,
    /// Port of the SMTP sink [default: the first free one from 8125 on]
    #[arg(long)]
    smtp_port: Option<u16>,
    /// Port that the bridge is configured to listen on [default: the first free one from 8080 on]
    #[arg(long)]
    bridge_port: Option<u16>,
    /// Leave it running in the background; `--stop` stops it
    #[arg(long)]
    detach: bool,
    /// Stop the one that runs
    #[arg(long, exclusive = true)]
    stop: bool,
}

/// Runs the command.
pub(crate) fn run(command: Command, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let Command::Keycloak(options) = command;
    let folder = Folder::of(workspace);
    if options.stop {
        return stop(&folder, interrupt);
    }
    let tools = prerequisites::ensure(interrupt)?;
    let lab = Lab::start(workspace, &options, &tools, interrupt)?;
    lab.introduce(options.detach);
    if options.detach {
        return lab.leave_running();
    }
    lab.wait(interrupt)
}

/// Fails if a lab runs already, before somebody waits long for their own.
pub(crate) fn expect_none(workspace: &Workspace) -> Result<()> {
    Folder::of(workspace).lock().map(drop)
}

/// Where everything of the lab lies.
#[derive(Debug, Clone)]
struct Folder(PathBuf);

impl Folder {
    fn of(workspace: &Workspace) -> Self {
        Self(workspace.root.join(".lab"))
    }

    fn settings(&self) -> PathBuf {
        self.0.join("keycloak.json")
    }

    fn keycloak(&self) -> Server {
        Server::new(&self.0, "keycloak")
    }

    fn sink(&self) -> Server {
        Server::new(&self.0, "smtp-sink")
    }

    /// Is there while a lab runs that was left running on purpose.
    fn detached(&self) -> PathBuf {
        self.0.join("detached")
    }

    /// Held while a lab runs in the foreground, so that no second one takes its files.
    ///
    /// Fails while any lab runs that somebody wants; what a killed run left behind is not one of these.
    fn lock(&self) -> Result<File> {
        files::create_folder(&self.0.join("log"))?;
        let file = File::create(self.0.join("lock")).context("cannot make the lab's lock")?;
        let is_taken = match file.try_lock() {
            Ok(()) => self.detached().exists() && is_running(self),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the lab"),
        };
        if is_taken {
            bail!("a lab runs already; hint: use it, or stop it with `cargo xtask lab keycloak --stop`");
        }
        Ok(file)
    }
}

/// A running lab. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Lab {
    settings: Settings,
    settings_file: PathBuf,
    detached_mark: PathBuf,
    took: Duration,
    leave_running: bool,
    // Dropped, and so stopped, in this order; the lock last.
    keycloak: Launched,
    sink: Launched,
    _lock: File,
}

impl Lab {
    /// Starts everything, from whatever an earlier run left.
    pub(crate) fn start(
        workspace: &Workspace,
        options: &Options,
        tools: &Tools,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let folder = Folder::of(workspace);
        let lock = folder.lock()?;
        if is_running(&folder) {
            status::step("Stopping", "the lab that was left running");
        }
        stop_servers(&folder, interrupt)?;
        let keycloak = Keycloak::install(&folder.0, tools, interrupt)?;
        let python = smtp::install(&folder.0, &tools.python, interrupt)?;

        let started = Instant::now();
        let smtp_port = ports::choose(options.smtp_port, 8125)?;
        let keycloak_ports = Ports {
            http: ports::choose(options.port, 8180)?,
            management: ports::choose(options.management_port, 9180)?,
        };
        status::step("Starting", format!("Keycloak {VERSION} at {}", keycloak_ports.url()));
        let maildir = folder.0.join("mail");
        let sink = smtp::start(&folder.sink(), &python, &maildir, smtp_port, interrupt)?;
        let running = keycloak.start(&folder.keycloak(), keycloak_ports, interrupt)?;

        let client_secret = bridge::new_secret()?;
        let realm = provision(keycloak_ports, &client_secret, smtp_port)?;
        let bridge_port = ports::choose(options.bridge_port, 8080)?;
        let settings = Settings {
            bridge: bridge::write(&folder.0, &keycloak_ports.url(), &realm, bridge_port)?,
            keycloak: settings::Keycloak {
                url: keycloak_ports.url(),
                management_url: keycloak_ports.management_url(),
                admin_username: ADMIN.0.to_owned(),
                admin_password: ADMIN.1.to_owned(),
                process: folder.keycloak(),
            },
            realm,
            smtp: settings::Smtp { host: "127.0.0.1".to_owned(), port: smtp_port, maildir, process: folder.sink() },
        };
        settings.write(&folder.settings())?;
        Ok(Self {
            settings,
            settings_file: folder.settings(),
            detached_mark: folder.detached(),
            took: started.elapsed(),
            leave_running: false,
            keycloak: running,
            sink,
            _lock: lock,
        })
    }

    /// The file that tests read.
    pub(crate) fn settings_file(&self) -> &Path {
        &self.settings_file
    }

    /// How long the start took, without what was installed before it.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    fn leave_running(mut self) -> Result<()> {
        files::write(&self.detached_mark, "")?;
        self.leave_running = true;
        self.keycloak.leave_running();
        self.sink.leave_running();
        Ok(())
    }

    /// Waits for Ctrl-C, or until another terminal stopped the lab.
    fn wait(self, interrupt: &Interrupt) -> Result<()> {
        while !interrupt.is_raised() && self.settings_file.exists() {
            interrupt.rest(Duration::from_millis(500));
        }
        status::step("Stopping", "the lab");
        drop(self);
        status::step("Stopped", "the lab");
        Ok(())
    }

    fn introduce(&self, detached: bool) {
        let Settings { keycloak, realm, smtp, bridge } = &self.settings;
        status::step("Ready", format!("Keycloak {VERSION} with a fresh realm, after {}", status::elapsed(self.took)));
        let end = if detached { "`cargo xtask lab keycloak --stop` stops the lab." } else { "Ctrl-C stops the lab." };
        let mut users = String::new();
        for user in &realm.users {
            let customer = user.customer.as_deref().unwrap_or("no customer");
            let state = match (user.enabled, user.email_verified) {
                (false, _) => ", blocked",
                (true, false) => ", not verified",
                (true, true) => "",
            };
            users += &format!("    {:<28} {customer}{state}, password {}\n", user.email, user.password);
        }
        status::plain(format!(
            "
  Keycloak   {url}/admin ({admin} / {password})
  realm      {realm}, its client `{client}` for the bridge
  mails      {mails}, as SMTP server 127.0.0.1:{smtp_port}
  settings   {settings}
  users
{users}
In another terminal:

  cargo run -- doctor --config {config}
  cargo run -- serve --config {config}
  cargo run -- call get-by-email {email} --url http://{listen} --tenant {tenant} --key-file {key}

{end}",
            url = keycloak.url,
            admin = keycloak.admin_username,
            password = keycloak.admin_password,
            realm = realm.name,
            client = realm.client_id,
            mails = readable(&smtp.maildir.join("new")),
            smtp_port = smtp.port,
            settings = readable(&self.settings_file),
            config = readable(&bridge.config),
            email = realm.users.first().map_or("ada@acme.example", |user| user.email.as_str()),
            listen = bridge.listen,
            tenant = bridge.tenant,
            key = readable(&bridge.webhook_key_file),
        ));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The file goes first, so that nobody trusts a lab that is being stopped. The servers follow by their own drops.
        if !self.leave_running {
            let _ = files::remove(&self.settings_file);
        }
    }
}

fn provision(ports: Ports, client_secret: &str, smtp_port: u16) -> Result<settings::Realm> {
    let representation = realm::representation(client_secret, smtp_port)?;
    let admin = Admin::new(&ports.url());
    admin.create_realm(&representation, ADMIN.0, ADMIN.1)?;
    admin.check_client(realm::NAME, realm::CLIENT_ID, client_secret)?;
    Ok(realm::settings(&representation, client_secret))
}

fn stop(folder: &Folder, interrupt: &Interrupt) -> Result<()> {
    if !is_running(folder) {
        status::step("Stopped", "already: no lab runs in this folder");
        return Ok(());
    }
    let started = Instant::now();
    stop_servers(folder, interrupt)?;
    status::step("Stopped", format!("the lab in {}", status::elapsed(started.elapsed())));
    Ok(())
}

fn is_running(folder: &Folder) -> bool {
    folder.keycloak().running().is_some() || folder.sink().running().is_some()
}

fn stop_servers(folder: &Folder, interrupt: &Interrupt) -> Result<()> {
    files::remove(&folder.settings())?;
    files::remove(&folder.detached())?;
    folder.keycloak().stop(interrupt)?;
    folder.sink().stop(interrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lab_runs_at_a_time_and_a_stale_mark_of_one_is_none() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder(home.path().to_owned());
        files::write(&folder.detached(), "").unwrap();
        let held = folder.lock().unwrap();
        assert!(folder.lock().unwrap_err().to_string().contains("runs already"));
        drop(held);
        folder.lock().unwrap();
    }
}
