//! A tenant's connections: their protocols and time limits, and the maximum number in use.

use std::sync::OnceLock;
use std::time::Duration;

use idp_bridge_core::{Error, OutboundPolicy, PrivateNetworks, Result};
use reqwest::redirect;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::address::Reach;
use crate::resolver::CheckedResolver;
use crate::tls::Protocols;
use crate::{base_url, tls};

/// Limit for name resolution, TCP and TLS together. Leaves time for a second attempt within a typical deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the idle timeout of common servers and load balancers, so that a write rarely meets a closing connection.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// The time after which an HTTP/2 connection with a request and without a frame from the server gets a ping.
const PING_AFTER: Duration = Duration::from_secs(1);
/// The time after which an HTTP/2 connection is closed if the server does not answer the ping. All requests share such a
/// connection, so that a dead one must be noticed within a typical deadline.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// A proxy may have any address: the operator configured it, and requests to `https` hosts stay encrypted.
const PROXY_REACH: Reach = Reach { networks: PrivateNetworks::Allow, allow_http: true };

/// A tenant's connections.
pub(crate) struct Connections {
    pool: reqwest::Client,
    /// The connections of second requests, created with the first one.
    spare: OnceLock<reqwest::Client>,
    policy: OutboundPolicy,
    resolver: CheckedResolver,
    places: Semaphore,
}

impl Connections {
    /// Creates an empty pool. Fails with `Misconfigured` and a hint if a certificate, its key or the proxy is invalid.
    pub(crate) fn new(policy: &OutboundPolicy, mut resolver: CheckedResolver) -> Result<Self> {
        if policy.proxy.is_some() {
            // All connections go to the proxy.
            resolver.networks = PROXY_REACH.networks;
        }
        let places = Semaphore::new(policy.limits.connections.clamp(1, Semaphore::MAX_PERMITS));
        let pool = build(policy, resolver.clone(), Protocols::Http2)?;
        Ok(Self { pool, spare: OnceLock::new(), policy: policy.clone(), resolver, places })
    }

    /// Returns the client of first requests.
    pub(crate) fn pool(&self) -> &reqwest::Client {
        &self.pool
    }

    /// Returns the client of second requests, which never share a connection with the first one.
    pub(crate) fn spare_for(&self, url: &Url) -> &reqwest::Client {
        // HTTP/2 is negotiated by TLS only. With HTTP/1.1 the connections in use are never shared.
        if url.scheme() != "https" {
            return &self.pool;
        }
        let build = || build(&self.policy, self.resolver.clone(), Protocols::Http1);
        self.spare.get_or_init(|| build().unwrap_or_else(|_| self.pool.clone()))
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

fn build(policy: &OutboundPolicy, resolver: CheckedResolver, protocols: Protocols) -> Result<reqwest::Client> {
    // The default retries are kept: they repeat only requests that an HTTP/2 server has refused without processing them,
    // such as those after its GOAWAY.
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(policy, protocols)?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(policy.limits.connections)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .user_agent(concat!("idp-bridge/", env!("CARGO_PKG_VERSION")));
    if let Some(text) = &policy.proxy {
        builder = builder.proxy(proxy(text)?);
    }
    builder
        .dns_resolver(resolver)
        .build()
        .map_err(|error| Error::misconfigured("an HTTP client cannot be made").with_source(error.without_url()))
}

fn proxy(text: &str) -> Result<reqwest::Proxy> {
    let bad = || {
        Error::misconfigured("the proxy's URL cannot be used")
            .with("setting", "proxy")
            .with_hint("write it like `http://proxy.acme.example:3128`")
    };
    let url = Url::parse(text).map_err(|error| bad().with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad());
    }
    base_url::check(&url, PROXY_REACH).map_err(|error| error.with("setting", "proxy"))?;
    reqwest::Proxy::all(url).map_err(|error| bad().with_source(error.without_url()))
}
