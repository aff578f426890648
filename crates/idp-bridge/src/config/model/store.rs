//! The table `[server.store]`.

use std::path::PathBuf;

use idp_bridge_core::Secret;
use idp_bridge_server::store::{RedisServer, RedisSettings};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

/// The port of a Redis server without a port in its URL.
const REDIS_PORT: u16 = 6379;

/// The place of idempotency keys, the revocation list and the limits of reset mails.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// The type: `memory` (for demos), `file` (one replica, in `state_dir`) or `redis` (several replicas).
    pub(crate) r#type: StoreType,
    /// For `redis`, the server: `redis://host:port/database`, or `rediss://…` for TLS. For Sentinels and a Cluster, several ones.
    #[serde(default)]
    pub(crate) urls: Vec<StoreUrl>,
    /// For Sentinels, which `urls` then names: the name of the master in their settings.
    pub(crate) sentinel_master: Option<String>,
    /// The password of the Sentinels themselves, if they have one.
    pub(crate) sentinel_password: Option<Secret>,
    /// Whether `urls` names nodes of a Redis Cluster.
    #[serde(default)]
    pub(crate) cluster: bool,
    /// The bridge's user, if the server has users.
    pub(crate) username: Option<String>,
    /// The password.
    pub(crate) password: Option<Secret>,
    /// The beginning of all keys. Bridges with equal tenants share it.
    #[serde(default = "default_prefix")]
    pub(crate) prefix: String,
    /// Certificate authorities (PEM) to trust instead of the system's.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
}

fn default_prefix() -> String {
    RedisSettings::DEFAULT_PREFIX.to_owned()
}

/// The type of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreType {
    /// In memory, for demos.
    Memory,
    /// In a file, for one replica.
    File,
    /// In a Redis or Valkey server, for several replicas.
    Redis,
}

/// The URL of a Redis server: `redis` or `rediss`, without user and password.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, extend("format" = "uri", "examples" = ["rediss://redis.example:6379/0"]))]
pub(crate) struct StoreUrl(#[schemars(with = "String")] pub(crate) ParsedUrl);

/// The parts of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParsedUrl {
    pub(crate) uses_tls: bool,
    pub(crate) server: RedisServer,
    pub(crate) database: u32,
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let has_login = text.split("://").nth(1).is_some_and(|rest| rest.contains('@'));
        if has_login {
            return Err(D::Error::custom(
                "expected a URL without user and password; use `username` and `password_file`",
            ));
        }
        let expected = "expected a URL such as `redis://redis.example:6379/0`, or `rediss://…` for TLS";
        parse(&text).map(Self).ok_or_else(|| D::Error::custom(expected))
    }
}

fn parse(text: &str) -> Option<ParsedUrl> {
    let url = Url::parse(text).ok().filter(|url| url.query().is_none() && url.fragment().is_none())?;
    let uses_tls = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    let host = url.host_str().filter(|host| !host.is_empty())?;
    // An IPv6 address has brackets in a URL only.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let database = match url.path().trim_matches('/') {
        "" => 0,
        number => number.parse().ok()?,
    };
    Some(ParsedUrl { uses_tls, server: RedisServer { host, port: url.port().unwrap_or(REDIS_PORT) }, database })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<ParsedUrl, String> {
        serde_json::from_value(text.into()).map(|StoreUrl(url)| url).map_err(|error| error.to_string())
    }

    #[test]
    fn urls_have_scheme_host_port_and_database() {
        let parsed = |uses_tls, host: &str, port, database| {
            Ok(ParsedUrl { uses_tls, server: RedisServer { host: host.into(), port }, database })
        };
        assert_eq!(url("redis://redis.example"), parsed(false, "redis.example", 6379, 0));
        assert_eq!(url("rediss://10.0.0.1:7000/3"), parsed(true, "10.0.0.1", 7000, 3));
        assert_eq!(url("redis://[::1]:1/"), parsed(false, "::1", 1, 0));
        for wrong in ["", "redis", "redis://", "http://a", "redis://a/b", "redis://a?b", "redis://a/-1", "unix:///a"] {
            assert!(url(wrong).unwrap_err().contains("expected a URL such as"), "{wrong}");
        }
        for wrong in ["redis://:hunter2@a", "redis://user@a"] {
            let message = url(wrong).unwrap_err();
            assert!(message.contains("`password_file`") && !message.contains("hunter2"), "{message}");
        }
    }
}
