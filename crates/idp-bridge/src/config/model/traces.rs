//! The table `[traces]`.

use std::path::PathBuf;

use idp_bridge_core::Secret;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

/// The export of traces to a collector (OpenTelemetry, OTLP). Off without this table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traces {
    /// The URL of the collector, such as `http://127.0.0.1:4318` for `http` and `http://127.0.0.1:4317` for `grpc`. With `http`
    /// the path `/v1/traces` is added to a URL without a path.
    pub(crate) endpoint: CollectorUrl,
    /// The protocol: `http` (protobuf over HTTP) or `grpc`.
    #[serde(default)]
    pub(crate) protocol: TraceProtocol,
    /// The share of traces to export, from 0 to 1, of requests without a decision of the platform (`traceparent`).
    #[serde(default = "all")]
    #[schemars(range(min = 0, max = 1))]
    #[serde(deserialize_with = "deserialize_ratio")]
    pub(crate) sample_ratio: f64,
    /// Headers for the collector, one in each line: `authorization: Bearer …`.
    pub(crate) headers: Option<Secret>,
    /// Certificate authorities (PEM) to trust instead of the system's.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// The name of this service in traces.
    #[serde(default = "service_name")]
    pub(crate) service_name: String,
}

fn all() -> f64 {
    1.0
}

fn service_name() -> String {
    "idp-bridge".to_owned()
}

fn deserialize_ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let ratio = f64::deserialize(deserializer)?;
    let is_share = (0.0..=1.0).contains(&ratio);
    is_share.then_some(ratio).ok_or_else(|| D::Error::custom("expected a share from 0 to 1, such as 0.1"))
}

/// The protocol to the collector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TraceProtocol {
    /// Protobuf over HTTP.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

/// The URL of a collector: `http` or `https`, without user and password.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, extend("format" = "uri", "examples" = ["http://127.0.0.1:4318"]))]
pub(crate) struct CollectorUrl(#[schemars(with = "String")] pub(crate) Url);

impl<'de> Deserialize<'de> for CollectorUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "expected a URL such as `http://127.0.0.1:4318`; credentials belong into `headers_file`";
        let url = Url::parse(&text).ok().filter(|url| {
            let is_http = ["http", "https"].contains(&url.scheme()) && url.has_host();
            is_http && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
        });
        url.map(Self).ok_or_else(|| D::Error::custom(expected))
    }
}

impl Traces {
    /// Returns the URL to which spans are sent.
    pub(crate) fn url(&self) -> Url {
        let mut url = self.endpoint.0.clone();
        if self.protocol == TraceProtocol::Http && url.path() == "/" {
            url.set_path("/v1/traces");
        }
        url
    }

    /// Returns the headers. Fails with a message if a line is not a header.
    pub(crate) fn parse_headers(&self) -> Result<Vec<(String, String)>, String> {
        let text = self.headers.as_ref().map(Secret::expose).unwrap_or_default();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parse = |(index, line): (usize, &str)| {
            let (name, value) = line.split_once(':').ok_or(index)?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            let is_valid =
                !name.is_empty() && is_name(&name) && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            is_valid.then(|| (name, value.to_owned())).ok_or(index)
        };
        // The line may contain a secret.
        lines.map(parse).collect::<Result<_, _>>().map_err(|index| format!("line {} is not a header", index + 1))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn traces(more: Value) -> Result<Traces, String> {
        let mut table = json!({"endpoint": "http://127.0.0.1:4318"});
        table.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        serde_json::from_value(table).map_err(|error| error.to_string())
    }

    #[test]
    fn path_is_added_for_http_only() {
        let url = |more| traces(more).unwrap().url().to_string();
        assert_eq!(url(json!({})), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url(json!({"endpoint": "https://otlp.example/own/path"})), "https://otlp.example/own/path");
        assert_eq!(url(json!({"endpoint": "http://127.0.0.1:4317", "protocol": "grpc"})), "http://127.0.0.1:4317/");
    }

    #[test]
    fn wrong_values_are_refused() {
        for (wrong, message) in [
            (json!({"endpoint": "127.0.0.1:4318"}), "expected a URL such as"),
            (json!({"endpoint": "http://user:hunter2@a"}), "`headers_file`"),
            (json!({"sample_ratio": 1.5}), "from 0 to 1"),
            (json!({"protocol": "json"}), "`http` or `grpc`"),
        ] {
            let error = traces(wrong.clone()).unwrap_err();
            assert!(error.contains(message) && !error.contains("hunter2"), "{wrong}: {error}");
        }
    }

    #[test]
    fn headers_are_lines() {
        let headers = |text: &str| traces(json!({"headers": text})).unwrap().parse_headers();
        let expected =
            [("authorization", "Bearer a:b"), ("x-org", "1")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(headers("Authorization: Bearer a:b\n\nx-org: 1\n"), Ok(expected.to_vec()));
        assert_eq!(headers("x-org: 1\nhunter2"), Err("line 2 is not a header".into()));
        assert!(headers("x org: 1").is_err() && headers("x: \u{1}").is_err());
        assert_eq!(traces(json!({})).unwrap().parse_headers(), Ok(Vec::new()));
    }
}
