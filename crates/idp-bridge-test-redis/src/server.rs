//! A Redis server.

use idp_bridge_test_process::{ServerProcess, unused_port};
use tempfile::TempDir;

use crate::client;

/// A Redis server, with the settings that a shared store needs: each change is on the disk, and nothing is evicted.
///
/// It is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    /// `None` while the server does not run.
    running: Option<ServerProcess>,
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
            running: None,
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
        self.running().wait_until(has_all);
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts the killed server on the same port, with its data.
    pub fn restart(&mut self) {
        let mut command = ServerProcess::command(PROGRAM, "KILL");
        let port = self.port.to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        // A replica is synchronized at once; by default after five seconds.
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"]).args(&self.options);
        let log = self.folder.path().join("log");
        let running = ServerProcess::start(command.current_dir(self.folder.path()), &log, MISSING);
        let is_ready =
            || client::send(self.port, &["PING"]).is_ok_and(|reply| reply == "PONG") || self.wants_password();
        running.wait_until(is_ready);
        self.running = Some(running);
    }

    /// Stops the server's process until [`resume`](Self::resume). Its connections stay open.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// Continues the paused server.
    pub fn resume(&self) {
        self.running().resume();
    }

    fn running(&self) -> &ServerProcess {
        self.running.as_ref().unwrap()
    }

    fn wants_password(&self) -> bool {
        client::send(self.port, &["PING"]).is_err_and(|error| error.to_string().starts_with("NOAUTH"))
    }
}

/// The program of servers and Sentinels.
pub(crate) const PROGRAM: &str = "redis-server";
pub(crate) const MISSING: &str =
    "`redis-server` should be installed; `cargo xtask test` installs it, or `apt-get install redis-server` does";
