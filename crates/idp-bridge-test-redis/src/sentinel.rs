//! A Sentinel, which promotes a replica when its master is gone.

use std::process::{Child, Command};

use tempfile::TempDir;

use crate::client;
use crate::server::{RedisServer, spawn, unused_port, wait_until};

/// A Sentinel for one master. It is killed when this is dropped.
#[derive(Debug)]
pub struct Sentinel {
    folder: TempDir,
    port: u16,
    password: Option<&'static str>,
    child: Child,
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
        let mut command = Command::new("redis-server");
        let child = spawn(command.current_dir(folder.path()).arg(&config).arg("--sentinel"), &log);
        let sentinel = Self { folder, port, password, child };
        wait_until(|| sentinel.master_info().contains("num-slaves\n1"), &log);
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
        wait_until(has_moved, &self.folder.path().join("log"));
    }

    fn master_info(&self) -> String {
        let login = self.password.map(|password| ["AUTH", password]);
        let commands: Vec<&[&str]> =
            login.iter().map(|login| &login[..]).chain([&["SENTINEL", "master", Self::MASTER][..]]).collect();
        client::send_all(self.port, &commands).unwrap_or_default()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
