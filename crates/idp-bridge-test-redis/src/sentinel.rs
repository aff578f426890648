//! A Sentinel, which promotes a replica when its master is gone.

use idp_bridge_test_process::{ServerProcess, unused_port};
use tempfile::TempDir;

use crate::client;
use crate::server::{MISSING, PROGRAM, RedisServer};

/// A Sentinel for one master. It is killed when this is dropped.
#[derive(Debug)]
pub struct Sentinel {
    port: u16,
    password: Option<&'static str>,
    running: ServerProcess,
    _folder: TempDir,
}

impl Sentinel {
    /// The name of the master.
    pub const MASTER: &'static str = "bridges";

    /// Starts a Sentinel for a master and its replica. Returns when it has found the replica.
    pub fn start(master: &RedisServer) -> Self {
        Self::start_with(master, "", None)
    }

    /// Starts a Sentinel with a password of its own, for servers with a password.
    pub fn start_with_passwords(master: &RedisServer, own: &'static str, servers: &str) -> Self {
        let name = Self::MASTER;
        Self::start_with(master, &format!("requirepass {own}\nsentinel auth-pass {name} {servers}\n"), Some(own))
    }

    fn start_with(master: &RedisServer, more: &str, password: Option<&'static str>) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), unused_port());
        let (config, log) = (folder.path().join("sentinel.conf"), folder.path().join("log"));
        let name = Self::MASTER;
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 5000\n{more}",
            master.port()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = ServerProcess::command(PROGRAM, "KILL");
        command.arg(&config).arg("--sentinel").current_dir(folder.path());
        let running = ServerProcess::start(&mut command, &log, MISSING);
        let sentinel = Self { port, password, running, _folder: folder };
        sentinel.running.wait_until(|| sentinel.master_info().contains("num-slaves\n1"));
        sentinel
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until another server is the master.
    pub fn wait_for_failover(&self, old: &RedisServer) {
        let old = format!("port\n{}\n", old.port());
        let has_moved = || {
            let info = self.master_info();
            !info.is_empty() && !info.contains(&old)
        };
        self.running.wait_until(has_moved);
    }

    fn master_info(&self) -> String {
        let login = self.password.map(|password| ["AUTH", password]);
        let commands: Vec<&[&str]> =
            login.iter().map(|login| &login[..]).chain([&["SENTINEL", "master", Self::MASTER][..]]).collect();
        client::send_all(self.port, &commands).unwrap_or_default()
    }
}
