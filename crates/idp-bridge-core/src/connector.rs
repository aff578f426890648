//! The contract of a connector, and the context that it builds providers from.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    Capabilities, Clock, FederationSettings, IdentityProvider, Random, Result, Secret, SystemClock, SystemRandom,
    TenantId, UpstreamCounters,
};

/// Code for one identity provider product.
pub trait Connector: Send + Sync + 'static {
    /// The value of `connector.type`: the product's name in lower case.
    const TYPE: &'static str;

    /// A tenant's settings. Derive `Deserialize` with `deny_unknown_fields` and document every field.
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// The provider that [`build`](Self::build) returns.
    type Provider: IdentityProvider;

    /// Returns the features that this connector supports with at least some settings.
    fn capabilities() -> Capabilities;

    /// Builds the provider of one tenant. Checks the settings without network access; an error is `Misconfigured`.
    fn build(config: Self::Config, context: &ConnectorContext) -> Result<Self::Provider>;
}

/// The program's part in a provider: clock, randomness and network policy.
#[derive(Debug, Clone)]
pub struct ConnectorContext {
    /// The tenant of the provider.
    pub tenant: TenantId,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random generator.
    pub random: Arc<dyn Random>,
    /// The rules for outbound connections.
    pub outbound: OutboundPolicy,
    /// The public URL of the bridge, for links to its pages.
    pub public_url: Option<String>,
    /// Whether the provider may use the credentials of the host itself, such as an instance's role, if its settings have none.
    pub host_credentials: bool,
    /// The roles that the provider may take on with those credentials. If there is a list, they are used for nothing else.
    pub host_roles: Option<Vec<String>>,
    /// The tenant's settings of federation; none if it has federation switched off.
    pub federation: Option<FederationSettings>,
    /// The SHA-256 digests of the keys of the tenant's calls. A connector that signs must use other keys.
    pub webhook_key_digests: Vec<[u8; 32]>,
}

impl ConnectorContext {
    /// Creates a context with the system's clock and random generator, the default policy, no host credentials and no
    /// federation.
    pub fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            outbound: OutboundPolicy::default(),
            public_url: None,
            host_credentials: false,
            host_roles: None,
            federation: None,
            webhook_key_digests: Vec::new(),
        }
    }
}

/// The rules for a provider's outbound connections. `idp-bridge-http` enforces them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundPolicy {
    /// Whether connections to loopback and private addresses are allowed.
    pub private_networks: PrivateNetworks,
    /// Whether plain `http` is allowed to hosts other than loopback.
    pub allow_http: bool,
    /// Certificate authorities (PEM) to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The client certificate of all TLS connections (RFC 8705), if there is one.
    pub client_certificate: Option<ClientCertificate>,
    /// The proxy of all requests. Proxy variables of the environment are ignored.
    pub proxy: Option<String>,
    /// The longest time of a fetch that calls share: an access token, the keys, the discovery document.
    ///
    /// No configuration key sets it; tests do.
    pub fetch_timeout: Duration,
    /// The tenant, for the log.
    pub tenant: Option<TenantId>,
    /// The limits on requests to the identity provider.
    pub limits: UpstreamLimits,
    /// The counters of the requests, which the creator of the policy may keep.
    pub counters: UpstreamCounters,
}

/// A client certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by its intermediate certificates (PEM).
    pub chain_pem: Vec<u8>,
    /// The private key (PEM).
    pub key_pem: Secret,
}

/// The limits on a tenant's requests to an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// The maximum number of connections in use at the same time. With HTTP/2, whose requests share a connection, the maximum
    /// number of requests. Further ones wait until their deadline.
    pub connections: usize,
    /// The maximum number of retries and second requests, as a percentage of the requests.
    pub retry_percent: u32,
    /// The number of retries beyond that percentage, so that a tenant with few requests can retry. Requests refill it.
    pub retry_reserve: u32,
    /// The number of failed attempts in a row after which a host is considered down. 0 switches its circuit breaker off.
    pub breaker_failures: u32,
    /// The minimum time in which they fail. Also the time after which an attempt that ends without a result has failed.
    pub breaker_after: Duration,
    /// The time between two requests to a host that is down.
    pub breaker_pause: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connections: 128,
            retry_percent: 10,
            retry_reserve: 10,
            breaker_failures: 5,
            breaker_after: Duration::from_secs(1),
            breaker_pause: Duration::from_secs(1),
        }
    }
}

impl OutboundPolicy {
    /// The [`fetch_timeout`](Self::fetch_timeout) of a policy that sets none.
    pub const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(5);
}

impl Default for OutboundPolicy {
    fn default() -> Self {
        Self {
            private_networks: PrivateNetworks::default(),
            allow_http: false,
            ca_pem: None,
            client_certificate: None,
            proxy: None,
            fetch_timeout: Self::DEFAULT_FETCH_TIMEOUT,
            tenant: None,
            limits: UpstreamLimits::default(),
            counters: UpstreamCounters::default(),
        }
    }
}

/// Whether connections to loopback and private addresses are allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivateNetworks {
    /// Allowed: an identity provider often runs in the same network.
    #[default]
    Allow,
    /// Denied: for hosts whose tenants bring their own settings.
    Deny,
}
