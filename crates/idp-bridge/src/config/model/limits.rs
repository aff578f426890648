//! The limits of the bridge. Their defaults are those of the server.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use idp_bridge_core::UpstreamLimits;
use idp_bridge_server::{ServerLimits, TenantLimits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;

/// The time for which a stopping bridge still serves, from 0 s to 5 min.
pub(crate) type ShutdownDelay = Time<0, 300_000>;

/// The interval of the diagnoses, from 1 min to 168 h.
pub(crate) type DoctorInterval = Time<60_000, 604_800_000>;

/// The largest number of last calls, about 1.5 GB of each kind.
const MAX_RECENT_CALLS: usize = 1_000_000;

/// The limits of the bridge itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// The maximum number of open connections. Further ones wait until one is closed.
    pub(crate) connections: NonZeroUsize,
    /// The maximum number of open connections from one address, or from one IPv6 network of 64 bits. Further ones are closed.
    pub(crate) connections_per_peer: NonZeroUsize,
    /// The maximum number of calls of all tenants that run or wait. Further ones are answered 503 `overloaded`.
    pub(crate) calls: NonZeroUsize,
    /// The maximum number of last calls for `idp-bridge explain`, of each of three kinds: successful, failed, and not
    /// authenticated. A call takes about 1.5 KB of memory. 0 switches them off.
    #[schemars(range(max = 1000000))]
    pub(crate) recent_calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = ServerLimits::default();
        Self {
            connections: at_least_one(limits.connections),
            connections_per_peer: at_least_one(limits.connections_per_peer),
            calls: at_least_one(limits.calls),
            recent_calls: limits.recent_calls,
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
        limits.calls = self.limits.calls.get();
        limits.recent_calls = self.limits.recent_calls.min(MAX_RECENT_CALLS);
        limits.shutdown_delay = self.shutdown_delay.0;
        limits
    }
}

/// The limits on the calls of a tenant, which keep its identity provider from slowing down other tenants.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CallLimits {
    /// The maximum number of calls that use the identity provider at the same time.
    pub(crate) in_flight: NonZeroUsize,
    /// The maximum number of further calls that wait, for a place or for an equal call. Others are answered 503 `overloaded`.
    pub(crate) queue: usize,
    /// The longest time for which a call waits for a place, from 0 s to 30 s.
    pub(crate) queue_time: Time<0, 30_000>,
    /// The maximum number of calls in a second. Further ones are answered 429. Any number by default.
    pub(crate) calls_per_second: Option<NonZeroU32>,
    /// The maximum number of connections to the identity provider that are in use at the same time; with HTTP/2, of requests.
    /// Further requests wait. Twice `in_flight` by default.
    pub(crate) connections: Option<NonZeroUsize>,
    /// The maximum number of retries, as a percentage of the requests to the identity provider.
    #[schemars(range(max = 100))]
    pub(crate) retry_percent: u32,
    /// The number of retries beyond that percentage, so that a tenant with few calls can retry. Requests refill it.
    #[schemars(range(max = 1000))]
    pub(crate) retry_reserve: u32,
    /// The number of failed requests in a row after which a host of the identity provider is considered down. It then gets
    /// single requests until it answers, and all others are answered 503. 0 switches this off.
    pub(crate) breaker_failures: u32,
    /// The time between two requests to a host that is down, from 100 ms to 1 min.
    pub(crate) breaker_pause: Time<100, 60_000>,
}

impl Default for CallLimits {
    fn default() -> Self {
        let (calls, upstream) = (TenantLimits::default(), UpstreamLimits::default());
        Self {
            in_flight: at_least_one(calls.in_flight),
            queue: calls.queue,
            queue_time: Time(calls.queue_time),
            calls_per_second: calls.calls_per_second,
            connections: None,
            retry_percent: upstream.retry_percent,
            retry_reserve: upstream.retry_reserve,
            breaker_failures: upstream.breaker_failures,
            breaker_pause: Time(upstream.breaker_pause),
        }
    }
}

impl CallLimits {
    /// Returns the limits for the server.
    pub(crate) fn for_calls(&self) -> TenantLimits {
        TenantLimits {
            in_flight: self.in_flight.get(),
            queue: self.queue,
            queue_time: self.queue_time.0,
            calls_per_second: self.calls_per_second,
        }
    }

    /// Returns the limits for the requests of a tenant with this deadline.
    pub(crate) fn for_requests(&self, deadline: Duration) -> UpstreamLimits {
        let defaults = UpstreamLimits::default();
        UpstreamLimits {
            connections: self.connections.map_or(self.in_flight.get().saturating_mul(2), NonZeroUsize::get),
            retry_percent: self.retry_percent.min(100),
            retry_reserve: self.retry_reserve.min(1000),
            breaker_failures: self.breaker_failures,
            // With a short deadline no attempt waits longer.
            breaker_after: defaults.breaker_after.min(deadline / 2),
            breaker_pause: self.breaker_pause.0,
        }
    }
}
