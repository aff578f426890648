//! The limits of the bridge. Their defaults are those of the server.

use std::num::NonZeroUsize;

use idp_bridge_server::ServerLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;

/// The time for which a stopping bridge still serves, from 0 s to 5 min.
pub(crate) type ShutdownDelay = Time<0, 300_000>;

/// The limits of the bridge itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// The maximum number of open connections. Further ones wait until one is closed.
    pub(crate) connections: NonZeroUsize,
    /// The maximum number of open connections from one address, or from one IPv6 network of 64 bits. Further ones are closed.
    pub(crate) connections_per_peer: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = ServerLimits::default();
        Self {
            connections: at_least_one(limits.connections),
            connections_per_peer: at_least_one(limits.connections_per_peer),
        }
    }
}

fn at_least_one(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

impl super::Server {
    /// Returns the limits for the server.
    pub(crate) fn limits(&self) -> ServerLimits {
        let mut limits = ServerLimits::default();
        limits.connections = self.limits.connections.get();
        limits.connections_per_peer = self.limits.connections_per_peer.get();
        limits.shutdown_delay = self.shutdown_delay.0;
        limits
    }
}
