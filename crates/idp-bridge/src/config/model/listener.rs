//! TLS, client certificates and the PROXY protocol of the main listener.

use std::borrow::Cow;
use std::path::PathBuf;

use idp_bridge_server::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// TLS on the main listener: version 1.2 and 1.3, with HTTP/1.1 and HTTP/2. The files are read again when they change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate (PEM), followed by its intermediate certificates.
    #[schemars(extend("format" = "path"))]
    pub(crate) certificate_file: PathBuf,
    /// The private key of the certificate (PEM), not encrypted.
    #[schemars(extend("format" = "path"))]
    pub(crate) key_file: PathBuf,
    /// Certificate authorities (PEM) of the platform. With them signed calls and REST calls need a client certificate.
    #[schemars(extend("format" = "path"))]
    pub(crate) client_ca_file: Option<PathBuf>,
}

/// A network, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let network: Option<IpNet> = String::deserialize(deserializer)?.parse().ok();
        // Bits beyond the prefix are a mistake in one of the two.
        let network = network.filter(|network| *network == network.trunc());
        let expected = "expected a network such as `10.0.0.0/8`, or an address such as `10.0.0.5/32`";
        network.map(Self).ok_or_else(|| serde::de::Error::custom(expected))
    }
}

impl JsonSchema for Network {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["10.0.0.0/8", "fd00::/8"]})
    }
}

/// A DNS name or a URI of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateName(pub(crate) String);

impl<'de> Deserialize<'de> for CertificateName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        let expected = "expected a DNS name or a URI in full, without a wildcard";
        if is_name { Ok(Self(name)) } else { Err(serde::de::Error::custom(expected)) }
    }
}

impl JsonSchema for CertificateName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CertificateName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["platform.example", "spiffe://platform.example/users"]})
    }
}
