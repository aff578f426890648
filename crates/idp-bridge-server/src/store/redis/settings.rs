//! The settings of a shared store.

use std::fmt;

use idp_bridge_core::Secret;

/// The settings of a Redis or Valkey server, or of several ones.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The server, or the Sentinels, or some nodes of the Cluster.
    pub servers: Vec<RedisServer>,
    /// The topology of the servers.
    pub topology: RedisTopology,
    /// The number of the database.
    pub database: u32,
    /// Whether connections use TLS.
    pub uses_tls: bool,
    /// The certificate authorities (PEM) to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The name of the bridge's user, if the server has users.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The beginning of all keys.
    pub prefix: String,
}

impl RedisSettings {
    /// The beginning of all keys, unless it is configured.
    pub const DEFAULT_PREFIX: &str = "idp-bridge:";

    /// Creates the settings of one server, without TLS and password.
    pub fn new(server: RedisServer) -> Self {
        Self {
            servers: vec![server],
            topology: RedisTopology::Single,
            database: 0,
            uses_tls: false,
            ca_pem: None,
            username: None,
            password: None,
            prefix: Self::DEFAULT_PREFIX.to_owned(),
        }
    }
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisServer {
    /// The name or the IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The topology of the servers: how to find the one that keeps a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisTopology {
    /// There is one server.
    Single,
    /// Sentinels name the server.
    Sentinel {
        /// The name of the server in the settings of the Sentinels.
        master: String,
        /// The password of the Sentinels themselves.
        password: Option<Secret>,
    },
    /// Redis Cluster: each key has a node.
    Cluster,
}
