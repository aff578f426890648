//! The keys of the configuration, as types: the one source of what is read, of the JSON schema and of the error messages.

mod federation;
mod rest;
mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{CallKind, PrivateNetworks, Secret};
use idp_bridge_server::{CustomerMissing, Tenant as Served};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

pub(crate) use federation::Federation;
pub(crate) use rest::{Jwt, Rest, Token};
pub(crate) use url::PublicUrl;

/// The configuration of idp-bridge.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "idp-bridge configuration")]
pub(crate) struct Root {
    /// The bridge itself.
    pub(crate) server: Server,
    /// What the bridge may connect to.
    pub(crate) outbound: Outbound,
    /// The tenants, by the platform's id of them.
    #[schemars(with = "BTreeMap<String, Tenant>")]
    pub(crate) tenants: BTreeMap<String, Value>,
}

/// The bridge itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// The address and port that calls come in at; port 0 takes a free one.
    #[schemars(with = "String")]
    pub(crate) listen: SocketAddr,
    /// Where the outside reaches the bridge, as applications are told: `https`, or `http` to loopback.
    pub(crate) public_url: Option<PublicUrl>,
    /// The folder of what must survive a restart: the logins that were ended. Needed if a tenant has federation.
    #[schemars(extend("format" = "path"))]
    pub(crate) state_dir: Option<PathBuf>,
    /// Whether tenants of Cognito that name no AWS credentials use the host's own, in a program that was built with them.
    pub(crate) aws_default_chain: bool,
    /// The roles (`role_arn`) that a tenant of Cognito may take on with the host's own credentials, by the platform's id of the
    /// tenant. Such a tenant uses them for nothing else. Without an entry a tenant uses them for any role and for none, or not at
    /// all if `outbound.private_networks` is `deny`.
    pub(crate) aws_roles: BTreeMap<String, Vec<String>>,
    /// The only folder that tenants' files are read from if `outbound.private_networks` is `deny`.
    #[schemars(extend("format" = "path"))]
    pub(crate) secrets_dir: Option<PathBuf>,
    /// The log, on standard error.
    pub(crate) log: Log,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            state_dir: None,
            aws_default_chain: false,
            aws_roles: BTreeMap::new(),
            secrets_dir: None,
            log: Log::default(),
        }
    }
}

/// The log, on standard error.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// How a line looks.
    pub(crate) format: LogFormat,
    /// Which lines are written: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,idp_bridge=debug`.
    #[serde(deserialize_with = "log_filter")]
    pub(crate) filter: String,
}

fn log_filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match EnvFilter::try_new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(serde::de::Error::custom(format!("expected a filter of the log such as `info`: {error}"))),
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// As text on a terminal, as JSON elsewhere.
    Auto,
    /// As text.
    Text,
    /// As one JSON object a line.
    Json,
}

/// What the bridge may connect to.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Outbound {
    /// Whether loopback and private addresses may be dialled. `deny` where tenants bring their own settings: it also keeps
    /// them from naming files outside `server.secrets_dir`, other variables than `IDP_BRIDGE_SECRET_*`, and a proxy.
    pub(crate) private_networks: PrivateNetworks,
}

/// One tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// The keys that the platform's calls are checked with: `whpk_…` (public, preferred) or `whsec_…` (shared); one to four.
    pub(crate) webhook_keys: Vec<Secret>,
    /// How long a call may take, from 100 ms to 30 s.
    #[serde(default)]
    pub(crate) deadline: Deadline,
    /// What a user belongs to.
    #[serde(default)]
    pub(crate) customer: Customer,
    /// Calls that are switched off: they answer 403.
    #[serde(default)]
    pub(crate) disabled_calls: BTreeSet<CallKind>,
    /// The REST surface.
    #[serde(default)]
    pub(crate) rest: Rest,
    /// OAuth for applications: userinfo, logout and back-channel logout; off without this table.
    #[serde(default)]
    pub(crate) federation: Option<Federation>,
    /// The identity provider.
    #[schemars(with = "Connector")]
    #[expect(dead_code, reason = "it is here for the schema: only the connector knows all of its keys")]
    pub(crate) connector: Value,
}

/// How long a call may take, from 100 ms to 30 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(pub(crate) Duration);

impl Default for Deadline {
    fn default() -> Self {
        Self(Served::DEFAULT_DEADLINE)
    }
}

impl<'de> Deserialize<'de> for Deadline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        time(deserializer, Served::MIN_DEADLINE..=Served::MAX_DEADLINE, "expected a time from `100ms` to `30s`")
            .map(Self)
    }
}

/// A time within these bounds, or else this error.
fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
    bounds: RangeInclusive<Duration>,
    expected: &'static str,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = text.parse().ok().and_then(|time: SignedDuration| Duration::try_from(time).ok());
    time.filter(|time| bounds.contains(time)).ok_or_else(|| serde::de::Error::custom(expected))
}

impl JsonSchema for Deadline {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Deadline".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "default": "4s", "examples": ["800ms", "4s"]})
    }
}

/// What a user belongs to.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Customer {
    /// What becomes of a user without a customer id.
    pub(crate) missing: CustomerMissing,
}

/// The identity provider: these keys and the connector's own.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Connector {
    /// Which connector: `idp-bridge connectors` lists them.
    #[expect(dead_code, reason = "it is read before the connector's schema is known")]
    pub(crate) r#type: String,
    /// Certificate authorities (PEM) to trust instead of the system's.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether plain `http` may be spoken to other hosts than loopback.
    #[serde(default)]
    pub(crate) allow_http: bool,
    /// A proxy for all requests to the identity provider; the environment's proxy variables are never read.
    #[serde(default)]
    pub(crate) proxy: Option<Secret>,
}
