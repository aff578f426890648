//! A tenant's connections: the pools, and the maximum number in use.

use std::sync::OnceLock;

use idp_bridge_core::{OutboundPolicy, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::connector::Connector;
use crate::pool::Pool;
use crate::resolver::CheckedResolver;
use crate::tls::Protocols;

/// A tenant's connections.
pub(crate) struct Connections {
    pool: Pool,
    /// The connections of second requests, created with the first one.
    spare: OnceLock<Option<Pool>>,
    policy: OutboundPolicy,
    resolver: CheckedResolver,
    places: Semaphore,
}

impl Connections {
    /// Creates an empty pool. Fails with `Misconfigured` and a hint if a certificate, its key or the proxy is invalid.
    pub(crate) fn new(policy: &OutboundPolicy, resolver: CheckedResolver) -> Result<Self> {
        let places = Semaphore::new(policy.limits.connections.clamp(1, Semaphore::MAX_PERMITS));
        let pool = build(policy, resolver.clone(), Protocols::Http2)?;
        Ok(Self { pool, spare: OnceLock::new(), policy: policy.clone(), resolver, places })
    }

    /// Returns the pool of first requests.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Returns the pool of second requests, which never share a connection with the first one.
    pub(crate) fn spare_for(&self, url: &Url) -> &Pool {
        // HTTP/2 is negotiated by TLS only. With HTTP/1.1 the connections in use are never shared.
        if url.scheme() != "https" {
            return &self.pool;
        }
        let build = || build(&self.policy, self.resolver.clone(), Protocols::Http1);
        self.spare.get_or_init(|| build().ok()).as_ref().unwrap_or(&self.pool)
    }

    /// Waits until the number of connections in use is below the limit. The result frees the place when it is dropped.
    pub(crate) async fn wait_for_place(&self) -> Option<SemaphorePermit<'_>> {
        // Never fails, because the semaphore is never closed.
        self.places.acquire().await.ok()
    }

    /// Returns a place if the number of connections in use is below the limit.
    pub(crate) fn try_take_place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }
}

fn build(policy: &OutboundPolicy, resolver: CheckedResolver, protocols: Protocols) -> Result<Pool> {
    Ok(Pool::new(Connector::new(policy, resolver, protocols)?, policy.limits.connections))
}
