//! The types of the configuration, from which the JSON schema and the error messages are derived.

mod audit;
mod federation;
mod limits;
mod listener;
mod rest;
mod store;
mod time;
mod traces;
mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use idp_bridge_core::{CallKind, PrivateNetworks, Secret};
use idp_bridge_server::{CustomerMissing, ServerLimits, Tenant as Served};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub(crate) use audit::Audit;
pub(crate) use federation::Federation;
pub(crate) use limits::{CallLimits, DoctorInterval, Limits, ShutdownDelay};
pub(crate) use listener::{CertificateName, Network, Tls};
pub(crate) use rest::{Jwt, Rest, Token};
pub(crate) use store::{ParsedUrl, Store, StoreType, StoreUrl};
pub(crate) use traces::{TraceProtocol, Traces};
pub(crate) use url::PublicUrl;

use self::time::Time;
use crate::log::{FilterError, parse_filter};

/// The configuration of idp-bridge.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "idp-bridge configuration")]
pub(crate) struct Root {
    /// The settings of the bridge itself.
    pub(crate) server: Server,
    /// The rules for outbound connections.
    pub(crate) outbound: Outbound,
    /// The audit: one line for each write and each logout. Off without this table.
    pub(crate) audit: Option<Audit>,
    /// The export of traces to a collector (OpenTelemetry, OTLP). Off without this table.
    pub(crate) traces: Option<Traces>,
    /// The tenants, by the platform's tenant id.
    #[schemars(with = "BTreeMap<String, Tenant>")]
    pub(crate) tenants: BTreeMap<String, Value>,
}

/// The settings of the bridge itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// The address and port to listen on; port 0 selects a free port.
    #[schemars(with = "String")]
    #[serde(deserialize_with = "deserialize_listen")]
    pub(crate) listen: SocketAddr,
    /// The address and port of a second listener for `/healthz`, `/readyz`, `/metrics`, `/status`, `/calls`, `/doctor` and
    /// `/log-level`, which no load on the first one reaches.
    #[schemars(with = "Option<String>")]
    #[serde(deserialize_with = "deserialize_optional_listen")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The bearer token for `/status`, `/calls`, `/doctor` and `/log-level`, which otherwise only loopback peers may use; at least
    /// 16 characters.
    #[serde(deserialize_with = "deserialize_long_secret")]
    pub(crate) metrics_token: Option<Secret>,
    /// The interval in which each tenant's settings and rights at its identity provider are checked, as by `idp-bridge doctor`;
    /// from 1 min to 168 h. `/status` and `/doctor` show the problems. Off without it.
    pub(crate) doctor_interval: Option<DoctorInterval>,
    /// TLS on the main listener. Clear text without this table.
    pub(crate) tls: Option<Tls>,
    /// Whether callers may use HTTP/2 in clear text, such as a sidecar. With TLS it is always possible.
    pub(crate) h2c: bool,
    /// The networks of the proxies that send the PROXY protocol, version 2. Connections from there without it are closed.
    pub(crate) proxy_protocol_from: Vec<Network>,
    /// The public URL of the bridge, for applications: `https`, or `http` to loopback.
    pub(crate) public_url: Option<PublicUrl>,
    /// The folder of the store of a single replica, which must survive restarts. If a tenant has federation, this or a store of
    /// the type `redis` is required.
    #[schemars(extend("format" = "path"))]
    pub(crate) state_dir: Option<PathBuf>,
    /// The place of idempotency keys, the revocation list and the limits of reset mails. The default is a file in `state_dir`, or
    /// memory if that is not set.
    pub(crate) store: Option<Store>,
    /// Whether Cognito tenants without AWS credentials use the host's own, from its environment, instance or pod.
    pub(crate) aws_default_chain: bool,
    /// The roles (`role_arn`) that a Cognito tenant may assume with the host's own credentials, by the platform's tenant id.
    /// A tenant with an entry uses the host's credentials for these roles only. A tenant without an entry may use them with any
    /// role or without one, or not at all if `outbound.private_networks` is `deny`.
    pub(crate) aws_roles: BTreeMap<String, Vec<String>>,
    /// The folder that tenants' files must be in if `outbound.private_networks` is `deny`.
    #[schemars(extend("format" = "path"))]
    pub(crate) secrets_dir: Option<PathBuf>,
    /// The time for which a stopping bridge still serves while `/readyz` is 503, so that load balancers notice first; from 0 s to
    /// 5 min.
    pub(crate) shutdown_delay: ShutdownDelay,
    /// The limits that protect the bridge as a whole.
    pub(crate) limits: Limits,
    /// The log, on standard error.
    pub(crate) log: Log,
}

/// Parses an address and port to listen on. The second line of an error is the next step.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().unwrap_or_default().parse::<u16>();
        let host = text.rsplit_once(':').map_or("", |(host, _)| host);
        let hint = match (host, port) {
            ("", Ok(port)) => {
                format!("write `127.0.0.1:{port}` for this host only, or `0.0.0.0:{port}` for all of its networks")
            }
            ("localhost", Ok(port)) => format!("write `127.0.0.1:{port}`: a name may have several addresses"),
            _ if text.parse::<Ipv6Addr>().is_ok() => format!("add a port: `[{text}]:8080`"),
            _ if text == "localhost" => "write `127.0.0.1:8080`".to_owned(),
            _ if text.parse::<Ipv4Addr>().is_ok() => format!("add a port: `{text}:8080`"),
            (_, Err(_)) => "end it with a port from 0 to 65535; 0 selects a free port".to_owned(),
            (_, Ok(_)) => "write an address, not a name or a URL; `0.0.0.0` is all networks of this host".to_owned(),
        };
        format!("expected an address and a port such as `127.0.0.1:8080`\n{hint}")
    })
}

fn deserialize_listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse_listen(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn deserialize_optional_listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    deserialize_listen(deserializer).map(Some)
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            metrics_listen: None,
            metrics_token: None,
            doctor_interval: None,
            tls: None,
            h2c: false,
            proxy_protocol_from: Vec::new(),
            public_url: None,
            state_dir: None,
            store: None,
            aws_default_chain: false,
            aws_roles: BTreeMap::new(),
            secrets_dir: None,
            shutdown_delay: Time(ServerLimits::default().shutdown_delay),
            limits: Limits::default(),
            log: Log::default(),
        }
    }
}

/// The log, on standard error.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// The format of a log line.
    pub(crate) format: LogFormat,
    /// The lines to log: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,idp_bridge=debug`.
    #[serde(deserialize_with = "deserialize_filter")]
    pub(crate) filter: String,
    /// The salt of the hashes of users, at least 16 characters. Equal salts give equal hashes in all replicas. The
    /// default is a random salt in `server.state_dir`, or one that changes with each start.
    #[serde(deserialize_with = "deserialize_long_secret")]
    pub(crate) user_salt: Option<Secret>,
}

/// Deserializes a secret that cannot be guessed.
fn deserialize_long_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let secret = Secret::deserialize(deserializer)?;
    if secret.expose().trim().len() < 16 {
        return Err(serde::de::Error::custom(
            "expected at least 16 characters; generate it with `openssl rand -hex 32`",
        ));
    }
    Ok(Some(secret))
}

fn deserialize_filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match parse_filter(&text) {
        Ok(_) => Ok(text),
        Err(FilterError { message, hint: Some(hint) }) => Err(serde::de::Error::custom(format!("{message}; {hint}"))),
        Err(FilterError { message, hint: None }) => Err(serde::de::Error::custom(message)),
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into(), user_salt: None }
    }
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Text.
    Text,
    /// One JSON object per line.
    Json,
}

/// The rules for outbound connections.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Outbound {
    /// Whether the bridge may connect to loopback and private addresses. Use `deny` if tenants bring their own settings: it also
    /// rejects files outside `server.secrets_dir`, variables other than `IDP_BRIDGE_SECRET_*`, and proxies.
    pub(crate) private_networks: PrivateNetworks,
}

/// One tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// One to four keys to verify the platform's calls with: `whpk_…` (public, preferred) or `whsec_…` (shared).
    pub(crate) webhook_keys: Vec<Secret>,
    /// The deadline of a call, from 100 ms to 30 s.
    #[serde(default = "default_deadline")]
    pub(crate) deadline: Deadline,
    /// The customers of users.
    #[serde(default)]
    pub(crate) customer: Customer,
    /// The limits on its calls, which keep its identity provider from slowing down other tenants.
    #[serde(default)]
    pub(crate) limits: CallLimits,
    /// The DNS names and URIs of the client certificates that may make signed calls and REST calls. Any certificate of
    /// `server.tls.client_ca_file` may if there is none.
    #[serde(default)]
    pub(crate) client_certificates: Vec<CertificateName>,
    /// The time for which a user that was read is answered from memory, from 0 s (off) to 60 s. A write of this bridge to the user ends
    /// it; changes elsewhere show later.
    #[serde(default = "no_cache")]
    pub(crate) user_cache: UserCache,
    /// Calls that are switched off; they are answered 403.
    #[serde(default)]
    pub(crate) disabled_calls: BTreeSet<CallKind>,
    /// The REST surface.
    #[serde(default)]
    pub(crate) rest: Rest,
    /// OAuth for applications: userinfo, logout and back-channel logout. Off without this table.
    pub(crate) federation: Option<Federation>,
    /// The identity provider.
    #[schemars(with = "Connector")]
    #[expect(dead_code, reason = "part of the schema only, since its keys depend on the connector")]
    pub(crate) connector: Value,
}

/// The time for which users are cached, from 0 s to 60 s.
pub(crate) type UserCache = Time<0, 60_000>;

fn no_cache() -> UserCache {
    Time::ZERO
}

/// The deadline of a call, from 100 ms to 30 s.
pub(crate) type Deadline = Time<100, 30_000>;

fn default_deadline() -> Deadline {
    Time(Served::DEFAULT_DEADLINE)
}

/// The customers of users.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Customer {
    /// The treatment of a user without a customer id.
    pub(crate) missing: CustomerMissing,
}

/// The identity provider: these keys and the connector's own.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Connector {
    /// The connector, one of `idp-bridge connectors`.
    #[expect(dead_code, reason = "it is read before the connector's schema is known")]
    pub(crate) r#type: String,
    /// Certificate authorities (PEM) to trust instead of the system's.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// A certificate (PEM), followed by its intermediate certificates, with which the bridge authenticates all its TLS connections to
    /// the identity provider. Needs `client_key`.
    #[schemars(extend("format" = "path"))]
    pub(crate) client_certificate_file: Option<PathBuf>,
    /// The private key (PEM) of the client certificate.
    pub(crate) client_key: Option<Secret>,
    /// Whether plain `http` is allowed to hosts other than loopback.
    #[serde(default)]
    pub(crate) allow_http: bool,
    /// A proxy for all requests to the identity provider. The environment's proxy variables are never read.
    pub(crate) proxy: Option<Secret>,
}
