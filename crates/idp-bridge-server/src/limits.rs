//! Limits on the size, time and number of connections and requests.

use std::num::NonZeroU32;
use std::time::Duration;

/// The maximum size of a request head in bytes.
pub(crate) const MAX_HEAD: usize = 16 * 1024;

/// The maximum number of header fields of a request.
pub(crate) const MAX_HEADERS: usize = 64;

/// The maximum number of requests at the same time on a connection with HTTP/2.
pub(crate) const MAX_STREAMS: u32 = 100;

/// The maximum length of path and query in bytes.
pub(crate) const MAX_URI: usize = 2 * 1024;

/// The maximum length of path and query for a logout in the browser, which may contain an ID token and a state.
pub(crate) const MAX_LOGOUT_URI: usize = 8 * 1024;

/// The limits on time and connections that can be configured.
///
/// Limits on size are part of the protocol and fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// The maximum number of open connections. Further ones wait in the system's queue.
    pub connections: usize,
    /// The maximum number of open connections from one address, or from one IPv6 network of 64 bits. Further ones are closed.
    pub connections_per_peer: usize,
    /// The maximum number of calls of all tenants that run or wait. Further ones are refused, before memory grows.
    pub calls: usize,
    /// The maximum number of last calls that are kept for operators, of each of three kinds: successful, failed, and not
    /// authenticated. A call takes about 1.5 KB.
    pub recent_calls: usize,
    /// The time limit for a request head, from its first byte.
    pub head: Duration,
    /// The time limit for a request body.
    pub body: Duration,
    /// The time limit for an idle connection.
    pub idle: Duration,
    /// The time limit for a pending write of a response.
    pub write: Duration,
    /// The step to which the response time of a password reset is rounded up, so that it does not reveal the look-up's time.
    pub reset_step: Duration,
    /// The time for which a stopping server still accepts and serves, so that load balancers notice its readiness first.
    pub shutdown_delay: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_peer: 5_000,
            calls: 5_000,
            recent_calls: 1_000,
            head: Duration::from_secs(5),
            body: Duration::from_secs(5),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(10),
            reset_step: Duration::from_millis(500),
            shutdown_delay: Duration::from_secs(5),
        }
    }
}

/// The limits on the calls of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantLimits {
    /// The maximum number of calls that use the identity provider at the same time.
    pub in_flight: usize,
    /// The maximum number of further calls that wait, for a place or for an equal call. Others are refused.
    pub queue: usize,
    /// The longest time for which a call waits for a place.
    pub queue_time: Duration,
    /// The maximum number of calls in a second. `None` for any number.
    pub calls_per_second: Option<NonZeroU32>,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self { in_flight: 64, queue: 256, queue_time: Duration::from_secs(1), calls_per_second: None }
    }
}
