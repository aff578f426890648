//! Signatures of Standard Webhooks.
//!
//! Every failed verification takes equal work, so that its duration does not show which tenants exist.

use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, header};

use crate::key::{Scheme, SigningKey, VerifyingKey};

/// `webhook-id`: the caller's id of this call. Retries use the id of the first attempt.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// `webhook-timestamp`: the time of signing, in seconds since 1970.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// `webhook-signature`: up to eight tokens such as `v1a,<base64>`, separated by spaces.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The tolerated difference between the clocks of platform and bridge, in seconds.
pub const TOLERANCE: u64 = 300;

/// The maximum number of signature checks for one call, counted as pairs of token and key.
pub const MAX_CHECKS: usize = 4;

const MAX_TOKENS: usize = 8;
const MAX_KEYS: usize = 4;

/// An error of verifying a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The headers or the signature are invalid. The error does not say which.
    #[error("the webhook headers or the signature are wrong")]
    Invalid,
    /// The signature is valid, but the timestamp is out of range.
    #[error("the call was signed more than {TOLERANCE} seconds from now")]
    TimestampOutOfRange,
}

/// A call with a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The webhook id.
    pub id: &'a str,
    /// The id of the key that signed, see [`VerifyingKey::id`].
    pub key_id: Arc<str>,
}

/// A tenant's one to four keys. A signature with any of them is accepted.
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: Vec<VerifyingKey>,
    /// The id of each key.
    ids: Vec<Arc<str>>,
}

impl KeyRing {
    /// Creates a key ring. Returns `None` unless there are one to four keys.
    pub fn new(keys: Vec<VerifyingKey>) -> Option<Self> {
        let ids = keys.iter().map(|key| key.id().into()).collect();
        (1..=MAX_KEYS).contains(&keys.len()).then_some(Self { keys, ids })
    }

    /// Creates an empty ring, which rejects every call. Used for unknown tenants.
    pub const fn empty() -> Self {
        Self { keys: Vec::new(), ids: Vec::new() }
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Verifies a call and returns its webhook id. Checks the headers, then the signature, then the time.
    ///
    /// `now` is in seconds since 1970.
    pub fn verify<'a>(&self, headers: &'a HeaderMap, body: &[u8], now: i64) -> Result<&'a str, SignatureError> {
        self.verify_counted(headers, body, now).0.map(|verified| verified.id)
    }

    /// Like [`verify`](Self::verify), and also returns the id of the key and the number of signature checks.
    pub fn verify_counted<'a>(
        &self,
        headers: &'a HeaderMap,
        body: &[u8],
        now: i64,
    ) -> (Result<Verified<'a>, SignatureError>, usize) {
        let Some(signed) = Signed::from_headers(headers) else {
            return (Err(SignatureError::Invalid), 0);
        };
        let (position, checks) = self.check(&message(signed.id, signed.timestamp, body), signed.signature);
        let verified = match position.and_then(|position| self.ids.get(position)) {
            Some(key_id) => signed.check_time(now).map(|id| Verified { id, key_id: Arc::clone(key_id) }),
            None => Err(SignatureError::Invalid),
        };
        (verified, checks)
    }

    /// Returns the position of the key for which a token is valid, and the number of checks.
    ///
    /// The number of checks of a rejected call depends only on the header, not on the ring: each token is checked with the first
    /// key of its scheme, then each with the second, up to [`MAX_CHECKS`]. A missing key is replaced by a dummy key.
    fn check(&self, message: &[u8], signature: &str) -> (Option<usize>, usize) {
        let tokens: Vec<_> = tokens(signature).collect();
        let pairs = (0..MAX_KEYS).flat_map(|nth| tokens.iter().map(move |token| (nth, token))).take(MAX_CHECKS);
        let mut checks = 0;
        for (nth, (scheme, signature)) in pairs {
            checks += 1;
            let own = self.keys.iter().enumerate().filter(|(_, key)| key.scheme() == *scheme).nth(nth);
            // Looked up in any case, which takes a few nanoseconds.
            let dummy = std::hint::black_box(dummy_key(*scheme));
            let key = own.map_or(dummy, |(_, key)| key);
            let is_valid = key.verifies(message, signature);
            if std::hint::black_box(is_valid) && own.is_some() {
                return (own.map(|(position, _)| position), checks);
            }
        }
        (None, checks)
    }
}

/// Returns a key for checks whose result is ignored.
fn dummy_key(scheme: Scheme) -> &'static VerifyingKey {
    static SHARED: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::shared(vec![0; 32]));
    // The base point of the curve. A check takes as long as with any other key.
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

/// Signs a call and returns the value of [`SIGNATURE`], with one token per key.
///
/// `timestamp` is in seconds since 1970.
pub fn sign(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let message = message(id, &timestamp.to_string(), body);
    keys.iter().map(|key| key.token(&message)).collect::<Vec<_>>().join(" ")
}

/// Returns the signed bytes.
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
        let too_many = split_tokens(signature).nth(MAX_TOKENS).is_some();
        (is_id(id) && !too_many).then_some(Self { id, timestamp, seconds, signature })
    }

    /// Returns the id if the timestamp is within [`TOLERANCE`].
    fn check_time(&self, now: i64) -> Result<&'a str, SignatureError> {
        let now = u64::try_from(now).unwrap_or(0);
        if now.abs_diff(self.seconds) > TOLERANCE {
            return Err(SignatureError::TimestampOutOfRange);
        }
        Ok(self.id)
    }
}

/// Returns the value of a header that occurs exactly once.
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

/// Parses `0|[1-9][0-9]{0,11}`.
fn parse_timestamp(text: &str) -> Option<u64> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

fn split_tokens(signature: &str) -> impl Iterator<Item = &str> {
    signature.split(' ').map(|token| token.strip_suffix(',').unwrap_or(token)).filter(|token| !token.is_empty())
}

/// Returns the tokens with a known version and a signature of the right length.
fn tokens(signature: &str) -> impl Iterator<Item = (Scheme, Vec<u8>)> {
    split_tokens(signature).take(MAX_TOKENS).filter_map(|token| {
        let (version, text) = token.split_once(',')?;
        let scheme = Scheme::parse(version)?;
        let signature = STANDARD.decode(text).ok()?;
        (signature.len() == scheme.signature_length()).then_some((scheme, signature))
    })
}

#[cfg(test)]
mod tests;
