//! Signed tokens in compact form (RFC 7515), parsed before their signature is checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Error, Result};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claims::Claims;
use super::object;
use super::rules::{LEEWAY, Rules};

/// The maximum length of a token.
const MAX_LENGTH: usize = 16 * 1024;

/// A well-formed token with an accepted header and the expected issuer. Its signature is not checked yet.
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    signed: &'a str,
    signature: &'a str,
    claims: Claims,
}

impl<'a> Unverified<'a> {
    /// Parses a token. Fails with `InvalidToken` for another issuer or a header that the rules reject, before keys are fetched.
    pub(super) fn parse(token: &'a str, issuer: &str, rules: &Rules) -> Result<Self> {
        if token.len() > MAX_LENGTH {
            return Err(Error::invalid_token("the token is too long"));
        }
        let parts: Vec<&str> = token.split('.').take(6).collect();
        let (header, payload, signature) = match parts.as_slice() {
            [header, payload, signature] => (*header, *payload, *signature),
            [_, _, _, _, _] => return Err(Error::invalid_token("the token is encrypted")),
            _ => return Err(Error::invalid_token("the token does not have three parts")),
        };
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = decode(header).ok_or_else(|| Error::invalid_token("the token's header cannot be read"))?;
        let text = |name| optional_text(&header, name);
        // No critical extension is supported (RFC 7515, section 4.1.11).
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Error::invalid_token("the token has a critical header (`crit`)"));
        }
        let algorithm = text("alg")?.and_then(|name| Algorithm::from_name(&name));
        let algorithm = algorithm
            .filter(|algorithm| rules.algorithms.contains(algorithm))
            .ok_or_else(|| Error::invalid_token("the token's algorithm is not accepted (`alg`)"))?;
        let typ = text("typ")?.map(|typ| typ.to_ascii_lowercase());
        let typ = typ.map(|typ| typ.strip_prefix("application/").map_or_else(|| typ.clone(), str::to_owned));
        rules.check_type(typ.as_deref())?;
        let claims = decode(payload).map(Claims::from);
        let claims = claims.ok_or_else(|| Error::invalid_token("the token's claims are not one JSON object"))?;
        if claims.text("iss") != Some(issuer) {
            return Err(Error::invalid_token("the token belongs to another issuer"));
        }
        Ok(Self { algorithm, kid: text("kid")?, signed, signature, claims: claims.with_type(typ) })
    }

    /// Returns whether the signature is valid for this key.
    pub(super) fn is_signed_by(&self, key: &jsonwebtoken::DecodingKey) -> bool {
        let algorithm = self.algorithm.to_jsonwebtoken();
        jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm).unwrap_or(false)
    }

    /// Checks `exp`, `nbf` and `iat`.
    pub(super) fn check_time(&self, rules: &Rules, now: Timestamp) -> Result<()> {
        check_time(&self.claims, rules, now)
    }

    /// Returns the claims. The caller must have checked the signature.
    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }
}

fn check_time(claims: &Claims, rules: &Rules, now: Timestamp) -> Result<()> {
    let time = |name: &'static str| match claims.timestamp(name) {
        None if claims.has(name) => Err(Error::invalid_token("a time in the token is not valid").with("claim", name)),
        time => Ok(time),
    };
    let expires = time("exp")?.ok_or_else(|| Error::invalid_token("the token has no `exp`"))?;
    if now.duration_since(expires) >= to_signed(rules.expiry_tolerance) {
        return Err(Error::invalid_token("the token has expired"));
    }
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|time| time.duration_since(now) > to_signed(LEEWAY)) {
            return Err(Error::invalid_token("the token is not valid yet").with("claim", name));
        }
    }
    Ok(())
}

/// Converts a duration. One that does not fit becomes the maximum.
pub(super) fn to_signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    object::parse(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

fn optional_text(header: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid_token("a header of the token is not a string")),
    }
}
