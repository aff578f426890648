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

/// The most signatures that are checked for one call: tokens times keys, of which only the first four count.
pub const MAX_CHECKS: usize = 4;

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
    pub fn empty() -> Self {
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
        self.verify_counted(headers, body, now).0
    }

    /// Does what [`verify`](Self::verify) does, and also returns how many signatures were checked.
    pub fn verify_counted<'a>(
        &self,
        headers: &'a HeaderMap,
        body: &[u8],
        now: i64,
    ) -> (Result<&'a str, SignatureError>, usize) {
        let Some(signed) = Signed::from_headers(headers) else {
            return (Err(SignatureError::Invalid), 0);
        };
        let (is_authentic, checks) = self.check(&message(signed.id, signed.timestamp, body), signed.signature);
        let verified = if is_authentic { signed.check_time(now) } else { Err(SignatureError::Invalid) };
        (verified, checks)
    }

    /// Whether one token fits one key, and how many pairs were checked.
    ///
    /// The header alone decides which signatures are checked how often, so that a call that fails costs the same for every ring: each
    /// token in turn against the first key of its scheme, then each against the second, until [`MAX_CHECKS`] are made. Where the
    /// ring has no such key, another one is checked in vain.
    fn check(&self, message: &[u8], signature: &str) -> (bool, usize) {
        let tokens: Vec<_> = tokens(signature).collect();
        let pairs = (0..MAX_KEYS).flat_map(|nth| tokens.iter().map(move |token| (nth, token))).take(MAX_CHECKS);
        let mut checks = 0;
        for (nth, (scheme, signature)) in pairs {
            checks += 1;
            let own = self.0.iter().filter(|key| key.scheme() == *scheme).nth(nth);
            let fits = own.unwrap_or_else(|| stranger(*scheme)).verifies(message, signature);
            if std::hint::black_box(fits) && own.is_some() {
                return (true, checks);
            }
        }
        (false, checks)
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

    /// Returns the id if the call was signed at about this time.
    fn check_time(&self, now: i64) -> Result<&'a str, SignatureError> {
        let now = u64::try_from(now).unwrap_or(0);
        if now.abs_diff(self.seconds) > TOLERANCE {
            return Err(SignatureError::TimestampOutOfRange);
        }
        Ok(self.id)
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
