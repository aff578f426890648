//! Access tokens of users as Keycloak issues them, and the key that verifies them.

use anyhow::{Result, anyhow};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fixture;

/// The id of the key.
const KEY_ID: &str = "bench";
/// The seed of the key, which all processes of a measurement derive.
const SEED: [u8; 32] = [7; 32];
/// The lifetime of a token in seconds.
const LIFETIME: i64 = 3600;

fn key() -> Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&SEED).map_err(|error| anyhow!("the key cannot be made: {error}"))
}

/// Returns the key set.
pub(crate) fn jwks() -> Result<Value> {
    let x = URL_SAFE_NO_PAD.encode(key()?.public_key());
    Ok(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": x}]}))
}

/// Returns a token of this user, in a session of its own.
pub(crate) fn sign(number: usize) -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "as an identity provider")]
    let now = jiff::Timestamp::now().as_second();
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": KEY_ID});
    let claims = json!({
        "iss": fixture::ISSUER, "aud": "account", "typ": "Bearer", "azp": fixture::CLIENT, "scope": "openid email profile",
        "sub": fixture::user(number), "sid": format!("5e55104a-0000-4000-8000-{number:012x}"),
        "jti": format!("onrtro:70ce0000-0000-4000-8000-{number:012x}"), "iat": now, "exp": now + LIFETIME,
        "preferred_username": "ada", "email": "ada@acme.example", "email_verified": true, "customer_id": "c-1",
    });
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = URL_SAFE_NO_PAD.encode(key()?.sign(signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

/// Returns the subject of a token, without verifying it.
pub(crate) fn subject(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}
