//! Standard Webhooks signatures: which headers, which bytes, which clock.
//!
//! A failed verification costs the same work whatever failed and whoever the tenant is,
//! so that its time tells nothing about which tenants exist.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, header};

use crate::key::{Scheme, SigningKey, VerifyingKey};

/// `webhook-id`: the caller's id of this call, the same in each of its retries.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// `webhook-timestamp`: when the call was signed, in seconds since 1970.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// `webhook-signature`: up to eight tokens such as `v1a,<base64>`, separated by spaces.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How far the clocks of platform and bridge may be apart, in seconds.
pub const TOLERANCE: u64 = 300;

const MAX_TOKENS: usize = 8;
const MAX_KEYS: usize = 4;

/// Why a call is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Headers or signature are wrong; which of them is not told.
    #[error("the webhook headers or the signature are wrong")]
    Invalid,
    /// The signature is right, but from another time.
    #[error("the call was signed more than {TOLERANCE} seconds from now")]
    TimestampOutOfRange,
}

/// A tenant's one to four keys, any of which is accepted.
#[derive(Debug, Clone)]
pub struct KeyRing(Vec<VerifyingKey>);

impl KeyRing {
    /// Takes one to four keys; another number gives none.
    pub fn new(keys: Vec<VerifyingKey>) -> Option<Self> {
        (1..=MAX_KEYS).contains(&keys.len()).then_some(Self(keys))
    }

    /// A ring that no call passes: what an unknown tenant is checked against.
    pub fn nobody() -> Self {
        Self(Vec::new())
    }

    /// Its keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.0
    }

    /// Checks a call: first the headers, then the signature over the raw body, and only then the time.
    ///
    /// `now` is in seconds since 1970. Gives the webhook id.
    pub fn verify<'a>(&self, headers: &'a HeaderMap, body: &[u8], now: i64) -> Result<&'a str, SignatureError> {
        let signed = Signed::from_headers(headers);
        let well_formed = signed.is_some();
        let signed = signed.unwrap_or(Signed { id: "", timestamp: "", seconds: 0, signature: "" });
        let message = message(signed.id, signed.timestamp, body);
        let authentic = self.matches(&message, signed.signature);
        if !(well_formed && authentic) {
            return Err(SignatureError::Invalid);
        }
        let now = u64::try_from(now).unwrap_or(0);
        if now.abs_diff(signed.seconds) > TOLERANCE {
            return Err(SignatureError::TimestampOutOfRange);
        }
        Ok(signed.id)
    }

    /// Whether one token fits one key. A token that fits none costs as much as a full ring would.
    fn matches(&self, message: &[u8], signature: &str) -> bool {
        for (scheme, signature) in tokens(signature) {
            let own = self.0.iter().filter(|key| key.scheme() == scheme);
            if own.clone().any(|key| key.verifies(message, &signature)) {
                return true;
            }
            for _ in own.count()..MAX_KEYS {
                std::hint::black_box(stranger(scheme).verifies(message, &signature));
            }
        }
        false
    }
}

/// A key to spend time with: what it says is thrown away.
fn stranger(scheme: Scheme) -> &'static VerifyingKey {
    static SHARED: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::shared(vec![0; 32]));
    // The base point of the curve: checking against it costs as much as against any other key.
    static PUBLIC: VerifyingKey = VerifyingKey::Public({
        let mut point = [0x66; 32];
        point[0] = 0x58;
        point
    });
    match scheme {
        Scheme::V1 => &SHARED,
        Scheme::V1a => &PUBLIC,
    }
}

/// Signs a call: the value of [`SIGNATURE`], one token a key.
///
/// `timestamp` is in seconds since 1970.
pub fn sign(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let message = message(id, &timestamp.to_string(), body);
    keys.iter().map(|key| key.token(&message)).collect::<Vec<_>>().join(" ")
}

/// The bytes that are signed.
fn message(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

/// The well-formed webhook headers of a call.
struct Signed<'a> {
    id: &'a str,
    timestamp: &'a str,
    seconds: u64,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn from_headers(headers: &'a HeaderMap) -> Option<Self> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return None;
        }
        let id = only(headers, &ID)?;
        let timestamp = only(headers, &TIMESTAMP)?;
        let signature = only(headers, &SIGNATURE)?;
        let seconds = parse_timestamp(timestamp)?;
        let too_many = tokens_of(signature).nth(MAX_TOKENS).is_some();
        (is_id(id) && !too_many).then_some(Self { id, timestamp, seconds, signature })
    }
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Reads `0|[1-9][0-9]{0,11}`.
fn parse_timestamp(text: &str) -> Option<u64> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

fn tokens_of(signature: &str) -> impl Iterator<Item = &str> {
    signature.split(' ').map(|token| token.strip_suffix(',').unwrap_or(token)).filter(|token| !token.is_empty())
}

/// The tokens of known versions whose signature has the right length.
fn tokens(signature: &str) -> impl Iterator<Item = (Scheme, Vec<u8>)> {
    tokens_of(signature).take(MAX_TOKENS).filter_map(|token| {
        let (version, text) = token.split_once(',')?;
        let scheme = Scheme::parse(version)?;
        let signature = STANDARD.decode(text).ok()?;
        (signature.len() == scheme.signature_length()).then_some((scheme, signature))
    })
}

#[cfg(test)]
mod tests;
