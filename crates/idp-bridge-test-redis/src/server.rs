//! A Redis server.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client;

/// The time limit for anything that should be immediate.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis server, with the settings that a shared store needs: each change is on the disk, and nothing is evicted.
///
/// It is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    /// `None` while the server does not run.
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with additional options, such as `["--maxmemory-policy", "allkeys-lru"]`.
    pub fn start_with(options: &[&str]) -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            port: unused_port(),
            options: options.iter().map(ToString::to_string).collect(),
            child: None,
        };
        server.restart();
        server
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a command, and returns the reply as text.
    pub fn command(&self, command: &[&str]) -> String {
        client::send(self.port, command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Waits until a replica has all changes.
    pub fn wait_for_replica(&self) {
        // `WAIT` is about the changes of its own connection, and thus about those before them.
        let has_all = || {
            let reply = client::send_all(self.port, &[&["SET", "wait-for-replica", ""], &["WAIT", "1", "1000"]]);
            reply.is_ok_and(|replicas| replicas == "1")
        };
        wait_until(has_all, &self.folder.path().join("log"));
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts the killed server on the same port, with its data.
    pub fn restart(&mut self) {
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        // A replica is synchronized at once; by default after five seconds.
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"]).args(&self.options);
        let log = self.folder.path().join("log");
        self.child = Some(spawn(command.current_dir(self.folder.path()), &log));
        let is_ready =
            || client::send(self.port, &["PING"]).is_ok_and(|reply| reply == "PONG") || self.wants_password();
        wait_until(is_ready, &log);
    }

    /// Stops the server's process until [`resume`](Self::resume). Its connections stay open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Continues the paused server.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    fn wants_password(&self) -> bool {
        client::send(self.port, &["PING"]).is_err_and(|error| error.to_string().starts_with("NOAUTH"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a program with its output in a log.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = File::create(log).unwrap();
    let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
    child.expect("`redis-server` should start; `cargo xtask test` installs it, or `apt-get install redis-server` does")
}

/// Waits for a condition, or panics with the log.
pub(crate) fn wait_until(condition: impl Fn() -> bool, log: &Path) {
    let begun = Instant::now();
    while !condition() {
        let log = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "not ready in time: {}", log());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

pub(crate) fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
