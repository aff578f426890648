//! Authentication of clients at token endpoints: with a secret, a private key (`private_key_jwt`, RFC 7523) or a client
//! certificate (`tls_client_auth`, RFC 8705).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use idp_bridge_core::schemars::JsonSchema;
use idp_bridge_core::{Clock, ConnectorContext, Error, ErrorKind, Random, Result, Secret};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oidc::Algorithm;

/// The lifetime of an assertion in seconds.
///
/// Keycloak accepts at most 60 by its own clock, which may be slow (`JWTClientValidator` of 26.7.3, November 2026), and Auth0
/// recommends 60
/// (<https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>, November 2026).
const LIFETIME_SECONDS: i64 = 30;
/// The type of an assertion (RFC 7523, section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client's authentication at a token endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub enum ClientProof {
    /// By a secret in the form (`client_secret_post`).
    Secret(Secret),
    /// By an assertion that it signs with a private key.
    PrivateKey(AssertionSigner),
    /// By the client certificate of the connection.
    Certificate,
}

/// The settings of a client's private key.
#[derive(Debug, Clone)]
pub struct PrivateKey {
    pem: Secret,
    algorithm: Option<AssertionAlgorithm>,
    key_id: Option<String>,
}

/// The signature algorithm of assertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(crate = "idp_bridge_core::schemars")]
pub enum AssertionAlgorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// ECDSA on P-256, SHA-256.
    Es256,
}

/// Signs the assertions of one client. Cheap to clone.
#[derive(Clone)]
pub struct AssertionSigner(Arc<Signer>);

struct Signer {
    key: EncodingKey,
    header: Header,
    client_id: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// The claims of an assertion. The optional issue time is omitted: with a fast clock it would be in the future.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    jti: String,
}

impl ClientProof {
    /// Selects the proof of a client from its settings. `None` if there is no secret, no key and no client certificate.
    ///
    /// A client certificate is the proof only without a secret and a key, since a gateway may require one in addition. Fails with
    /// `Misconfigured` and a hint if both a secret and a key are set, or if the key cannot be used.
    pub fn from_settings(
        client_id: &str,
        secret: Option<&Secret>,
        key: Option<&PrivateKey>,
        context: &ConnectorContext,
    ) -> Result<Option<Self>> {
        Ok(match (secret, key) {
            (Some(_), Some(_)) => {
                return Err(Error::misconfigured("`private_key` and `client_secret` are both set")
                    .with_hint("keep `private_key_file`, and remove the secret here and at the identity provider"));
            }
            (Some(secret), None) => Some(Self::Secret(secret.clone())),
            (None, Some(key)) => Some(Self::PrivateKey(AssertionSigner::new(client_id, key, context)?)),
            (None, None) => context.outbound.client_certificate.is_some().then_some(Self::Certificate),
        })
    }

    /// Returns the fields of a form that prove the client's identity, in addition to `client_id`. A signed assertion is for this
    /// audience, and for one request.
    pub fn form_fields(&self, audience: &str) -> Result<Vec<(&'static str, String)>> {
        match self {
            Self::Secret(secret) => Ok(vec![("client_secret", secret.expose().to_owned())]),
            Self::PrivateKey(signer) => signer.form_fields(audience).map(Vec::from),
            Self::Certificate => Ok(Vec::new()),
        }
    }
}

impl PrivateKey {
    /// Creates the key of the settings `private_key`, `private_key_algorithm` and `private_key_id`. `None` without a key.
    ///
    /// Fails with `Misconfigured` if one of the others is set without a key.
    pub fn from_settings(
        pem: Option<&Secret>,
        algorithm: Option<AssertionAlgorithm>,
        key_id: Option<&str>,
    ) -> Result<Option<Self>> {
        let unused = algorithm.map(|_| "private_key_algorithm").or(key_id.map(|_| "private_key_id"));
        match (pem, unused) {
            (Some(pem), _) => Ok(Some(Self { pem: pem.clone(), algorithm, key_id: key_id.map(str::to_owned) })),
            (None, None) => Ok(None),
            (None, Some(setting)) => Err(Error::misconfigured(format!("`{setting}` needs `private_key`"))
                .with_hint("set `private_key_file` to the path of the private key, or remove the setting")),
        }
    }

    /// Returns the public half as a JWK (RFC 7517), to register it at the identity provider.
    pub fn public_jwk(&self) -> Result<Value> {
        let (key, algorithm) = self.parse()?;
        let mut jwk = Jwk::from_encoding_key(&key, algorithm.to_jsonwebtoken()).map_err(|_| unusable())?;
        jwk.common.key_id.clone_from(&self.key_id);
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        serde_json::to_value(jwk)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "a JWK cannot be written").with_source(error))
    }

    fn parse(&self) -> Result<(EncodingKey, Algorithm)> {
        let pem = self.pem.expose().as_bytes();
        // Without the sources, since a parser's message may quote the key.
        let rsa = |algorithm: Algorithm| EncodingKey::from_rsa_pem(pem).map(|key| (key, algorithm));
        let ec = || EncodingKey::from_ec_pem(pem).map(|key| (key, Algorithm::Es256));
        match self.algorithm {
            None => rsa(Algorithm::Rs256).or_else(|_| ec()).map_err(|_| unusable()),
            Some(AssertionAlgorithm::Es256) => ec().map_err(|_| unusable_for("ES256", "a P-256 key")),
            Some(algorithm) => {
                let algorithm = Algorithm::from(algorithm);
                rsa(algorithm).map_err(|_| unusable_for(algorithm.name(), "an RSA key"))
            }
        }
    }
}

impl From<AssertionAlgorithm> for Algorithm {
    fn from(algorithm: AssertionAlgorithm) -> Self {
        match algorithm {
            AssertionAlgorithm::Rs256 => Self::Rs256,
            AssertionAlgorithm::Ps256 => Self::Ps256,
            AssertionAlgorithm::Es256 => Self::Es256,
        }
    }
}

impl AssertionSigner {
    /// Creates a signer. Fails with `Misconfigured` and a hint if the key cannot sign.
    pub fn new(client_id: &str, key: &PrivateKey, context: &ConnectorContext) -> Result<Self> {
        let (parsed, algorithm) = key.parse()?;
        let header = Header { kid: key.key_id.clone(), ..Header::new(algorithm.to_jsonwebtoken()) };
        let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
        let signer = Self(Arc::new(Signer { key: parsed, header, client_id: client_id.to_owned(), clock, random }));
        // Some faults, such as a short key or another curve, show only when signing.
        signer.sign("").map(|_| signer)
    }

    /// Returns the fields of a form with a new assertion for this audience. An assertion may be sent once.
    pub fn form_fields(&self, audience: &str) -> Result<[(&'static str, String); 2]> {
        Ok([("client_assertion_type", ASSERTION_TYPE.to_owned()), ("client_assertion", self.sign(audience)?)])
    }

    /// Returns a new assertion with these claims and its times, for an authorization grant (RFC 7523, section 2.1).
    pub fn sign_claims(&self, claims: &BTreeMap<String, String>) -> Result<String> {
        #[derive(Serialize)]
        struct Timed<'a> {
            #[serde(flatten)]
            claims: &'a BTreeMap<String, String>,
            iat: i64,
            exp: i64,
        }
        let Signer { key, header, clock, .. } = &*self.0;
        let iat = clock.now().as_second();
        encode(header, &Timed { claims, iat, exp: iat + LIFETIME_SECONDS }, key).map_err(|_| unusable())
    }

    fn sign(&self, audience: &str) -> Result<String> {
        let Signer { key, header, client_id, clock, random } = &*self.0;
        let exp = clock.now().as_second() + LIFETIME_SECONDS;
        let claims = Claims { iss: client_id, sub: client_id, aud: audience, exp, jti: random.word()? };
        encode(header, &claims, key).map_err(|_| unusable())
    }
}

impl fmt::Debug for AssertionSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionSigner").field("client_id", &self.0.client_id).finish_non_exhaustive()
    }
}

fn unusable() -> Error {
    Error::misconfigured("`private_key` is neither an RSA key of at least 2048 bits nor a P-256 key")
        .with_hint("create one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`")
}

fn unusable_for(algorithm: &str, needed: &str) -> Error {
    Error::misconfigured(format!(
        "`private_key` is not {needed}, which `private_key_algorithm = \"{algorithm}\"` needs"
    ))
    .with_hint("give another key, or remove `private_key_algorithm` to use the one that fits the key")
}
