//! The keys of `[tenants.X.rest]`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;

use idp_bridge_core::Secret;
use idp_bridge_server::{Algorithm, RestToken, Scope};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// The REST surface. Off without tokens.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rest {
    /// The static bearer tokens.
    pub(crate) tokens: Vec<Token>,
    /// The issuer of accepted JWT access tokens (RFC 9068).
    pub(crate) jwt: Option<Jwt>,
}

/// A static bearer token, stored as a hash.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    /// The caller's name, for the log.
    pub(crate) name: String,
    /// SHA-256 of the token, in hexadecimal: `printf %s "$TOKEN" | sha256sum`. The token has at least 32 random bytes.
    #[schemars(with = "String", regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub(crate) sha256: Sha256,
    /// The permissions of the caller.
    pub(crate) scopes: BTreeSet<Scope>,
}

impl Token {
    /// Converts into the token of the server.
    pub(crate) fn into_rest_token(self) -> RestToken {
        RestToken { name: self.name, sha256: self.sha256.0, scopes: self.scopes }
    }
}

/// SHA-256 of a token, in hexadecimal.
#[derive(Debug)]
pub(crate) struct Sha256(pub(crate) [u8; 32]);

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sha256 = parse_hex(&text).ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))?;
        if RestToken::is_trivial(&sha256) {
            let message = "the token of this digest is guessable: generate one with `openssl rand -hex 32`";
            return Err(serde::de::Error::custom(message));
        }
        Ok(Self(sha256))
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks() else { return None };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

/// The issuer of access tokens. Their `scope` contains the permissions: `users.read`, `users.write`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jwt {
    /// The issuer, compared byte for byte with the tokens' `iss`.
    pub(crate) issuer: String,
    /// The audience that the tokens' `aud` must contain.
    pub(crate) audience: String,
    /// The URL of the issuer's keys. Keys from other places are never used.
    pub(crate) jwks_url: String,
    /// The accepted signature algorithms. The default is all of them.
    #[serde(default = "all_algorithms")]
    pub(crate) algorithms: Vec<SignedBy>,
    /// Certificate authorities (PEM) to trust instead of the system's.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether plain `http` is allowed to hosts other than loopback.
    #[serde(default)]
    pub(crate) allow_http: bool,
    /// A proxy for the requests to the issuer. The environment's proxy variables are never read.
    pub(crate) proxy: Option<Secret>,
}

fn all_algorithms() -> Vec<SignedBy> {
    Algorithm::ALL.map(SignedBy).to_vec()
}

/// The signature algorithm of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedBy(pub(crate) Algorithm);

impl<'de> Deserialize<'de> for SignedBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let named = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        named.map(Self).ok_or_else(|| serde::de::Error::unknown_variant(&text, &NAMES))
    }
}

/// The names of all algorithms, for a message that needs them at compile time.
const NAMES: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

impl JsonSchema for SignedBy {
    fn schema_name() -> Cow<'static, str> {
        "SignedBy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "The signature algorithm of a token.", "type": "string", "enum": NAMES})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_the_algorithms() {
        assert_eq!(Algorithm::ALL.map(Algorithm::name), NAMES);
    }
}
