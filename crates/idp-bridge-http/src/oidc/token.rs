//! A signed token in its compact form (RFC 7515), taken apart before anything in it is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Error, Result};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claims::Claims;
use super::object;
use super::rules::Rules;

/// No token of an identity provider is longer; what is longer is not even read.
const MAX_LENGTH: usize = 16 * 1024;

/// A token whose form and header are right and which claims to be the issuer's; whether it is, its signature says.
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    signed: &'a str,
    signature: &'a str,
    claims: Claims,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; `InvalidToken` if it cannot be one of this issuer that these rules take, whatever its signature:
    /// nobody is asked for keys because of it.
    pub(super) fn parse(token: &'a str, issuer: &str, rules: &Rules) -> Result<Self> {
        if token.len() > MAX_LENGTH {
            return Err(Error::invalid_token("the token is too long"));
        }
        let parts: Vec<&str> = token.split('.').take(6).collect();
        let (header, payload, signature) = match parts.as_slice() {
            [header, payload, signature] => (*header, *payload, *signature),
            [_, _, _, _, _] => return Err(Error::invalid_token("the token is encrypted")),
            _ => return Err(Error::invalid_token("the token is not a signed one of three parts")),
        };
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = decode(header).ok_or_else(|| Error::invalid_token("the token's header cannot be read"))?;
        let text = |name| optional_text(&header, name);
        // An extension that must be understood, and this understands none (RFC 7515, section 4.1.11).
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Error::invalid_token("the token has a header that must be understood (`crit`)"));
        }
        let algorithm = text("alg")?.and_then(|name| Algorithm::from_name(&name));
        let algorithm = algorithm
            .filter(|algorithm| rules.algorithms.contains(algorithm))
            .ok_or_else(|| Error::invalid_token("the token is not signed in a way that is taken (`alg`)"))?;
        let typ = text("typ")?.map(|typ| typ.to_ascii_lowercase());
        let typ = typ.map(|typ| typ.strip_prefix("application/").map_or_else(|| typ.clone(), str::to_owned));
        rules.check_type(typ.as_deref())?;
        let claims = decode(payload).map(Claims::from);
        let claims = claims.ok_or_else(|| Error::invalid_token("the token's claims are not one JSON object"))?;
        if claims.text("iss") != Some(issuer) {
            return Err(Error::invalid_token("the token is another issuer's"));
        }
        Ok(Self { algorithm, kid: text("kid")?, signed, signature, claims: claims.with_type(typ) })
    }

    /// Whether this key made the signature.
    pub(super) fn is_signed_by(&self, key: &jsonwebtoken::DecodingKey) -> bool {
        let algorithm = self.algorithm.to_jsonwebtoken();
        jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm).unwrap_or(false)
    }

    /// Refuses a token that is not valid at this time, whoever signed it.
    pub(super) fn check_time(&self, rules: &Rules, now: Timestamp) -> Result<()> {
        check_time(&self.claims, rules, now)
    }

    /// Returns the claims, which are proven once a key of the issuer has signed the token.
    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }
}

fn check_time(claims: &Claims, rules: &Rules, now: Timestamp) -> Result<()> {
    let time = |name: &'static str| match claims.timestamp(name) {
        None if claims.has(name) => Err(Error::invalid_token("a time in the token is none").with("claim", name)),
        time => Ok(time),
    };
    let expires = time("exp")?.ok_or_else(|| Error::invalid_token("the token never expires"))?;
    if now.duration_since(expires) >= signed(rules.expiry_tolerance) {
        return Err(Error::invalid_token("the token has expired"));
    }
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|time| time.duration_since(now) > signed(rules.leeway)) {
            return Err(Error::invalid_token("the token is not valid yet").with("claim", name));
        }
    }
    Ok(())
}

/// A configured time, which is never as long as to overflow.
pub(super) fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    object::parse(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

fn optional_text(header: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid_token("a header of the token is no text")),
    }
}
