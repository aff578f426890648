//! What a connector is built from.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    Capabilities, Clock, FederationSettings, IdentityProvider, Random, Result, SystemClock, SystemRandom, TenantId,
};

/// Code for one identity provider product.
pub trait Connector: Send + Sync + 'static {
    /// The name in `connector.type`: lower case, as the product is known.
    const TYPE: &'static str;

    /// A tenant's settings. Derive `Deserialize` with `deny_unknown_fields` and document every field.
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// What [`build`](Self::build) makes.
    type Provider: IdentityProvider;

    /// The most that this connector can promise, with the most generous settings.
    fn capabilities() -> Capabilities;

    /// Makes the provider of one tenant. It checks the settings and asks no network; an error is `Misconfigured`.
    fn build(config: Self::Config, context: &ConnectorContext) -> Result<Self::Provider>;
}

/// What a provider takes from the program instead of from the process's globals.
#[derive(Debug, Clone)]
pub struct ConnectorContext {
    /// The tenant whose settings these are.
    pub tenant: TenantId,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub random: Arc<dyn Random>,
    /// Where the provider may connect to, and how.
    pub outbound: OutboundPolicy,
    /// Whether the provider may use the credentials of the host itself, such as an instance's role, if its settings have none.
    pub host_credentials: bool,
    /// The roles that the provider may take on with those credentials. If there is a list, they are used for nothing else.
    pub host_roles: Option<Vec<String>>,
    /// The tenant's settings of federation; none if it has federation switched off.
    pub federation: Option<FederationSettings>,
}

impl ConnectorContext {
    /// The system's clock and randomness, the default policy, none of the host's credentials, and no federation.
    pub fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            outbound: OutboundPolicy::default(),
            host_credentials: false,
            host_roles: None,
            federation: None,
        }
    }
}

/// Where a tenant's provider may connect to: plain data, obeyed by `idp-bridge-http`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundPolicy {
    /// Whether loopback and private addresses may be dialled.
    pub private_networks: PrivateNetworks,
    /// Whether plain `http` may be spoken to other hosts than loopback.
    pub allow_http: bool,
    /// Certificate authorities (PEM) to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// A proxy that all requests go through; the environment's proxy variables are never read.
    pub proxy: Option<String>,
}

/// Whether loopback and private addresses may be dialled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivateNetworks {
    /// They may: the identity provider often lives next door.
    #[default]
    Allow,
    /// They may not: for a host whose tenants bring their own settings.
    Deny,
}
