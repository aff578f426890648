//! Client assertions: authentication with a private key instead of a secret
//! (<https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>, November 2026).

use std::sync::Arc;

use idp_bridge_core::{Clock, Error, Random, Result, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

/// The lifetime of an assertion. Auth0 recommends one minute and accepts five.
const LIFETIME_SECONDS: i64 = 60;

/// Signs assertions for one application.
pub(crate) struct Assertions {
    key: EncodingKey,
    client_id: String,
    audience: String,
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

impl Assertions {
    /// Parses the key. Fails with `Misconfigured` if it cannot sign.
    pub(crate) fn new(
        key: &Secret,
        client_id: &str,
        domain: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let key = EncodingKey::from_rsa_pem(key.expose().as_bytes()).map_err(|_| unusable())?;
        // The audience has a slash at its end.
        let audience = format!("https://{domain}/");
        let assertions = Self { key, client_id: client_id.to_owned(), audience, clock, random };
        // Some faults, such as a short key, show only when signing.
        assertions.next().map(|_| assertions)
    }

    /// Signs a new assertion.
    pub(crate) fn next(&self) -> Result<String> {
        let claims = Claims {
            iss: &self.client_id,
            sub: &self.client_id,
            aud: &self.audience,
            exp: self.clock.now().as_second() + LIFETIME_SECONDS,
            jti: self.random.word()?,
        };
        encode(&Header::new(Algorithm::RS256), &claims, &self.key).map_err(|_| unusable())
    }
}

/// Returns the error for an unusable key. It has no source, since a parser's message may quote the key.
fn unusable() -> Error {
    Error::misconfigured("`private_key` is not a usable RSA key").with_hint("create one with `openssl genrsa 2048`")
}
