//! How the bridge proves who it is without a secret: a signed statement that is good for one request.
//!
//! What it must say is told at
//! <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt> (November 2026).

use std::sync::Arc;

use idp_bridge_core::{Clock, Error, Random, Result, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

/// How long an assertion is good for: Auth0 advises a minute and takes five.
const LIFETIME_SECONDS: i64 = 60;

/// Makes assertions for one application.
pub(crate) struct Assertions {
    key: EncodingKey,
    client_id: String,
    audience: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Issue time is optional and left out: by a clock that is a little fast it would lie in the future.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    jti: String,
}

impl Assertions {
    /// Takes the key; `Misconfigured` if it cannot sign.
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
        // A key that is too short, say, is noticed only when it signs.
        assertions.next().map(|_| assertions)
    }

    /// An assertion that no request has used.
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

/// The cause is left out, since a parser's words may quote the key.
fn unusable() -> Error {
    Error::misconfigured("`private_key` is no RSA key that can sign").with_hint("make one with `openssl genrsa 2048`")
}
