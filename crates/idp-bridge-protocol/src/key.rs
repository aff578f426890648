//! The keys of signed calls and their text forms.

mod weak;

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use data_encoding::HEXLOWER;
use idp_bridge_core::Secret;
use zeroize::Zeroizing;

/// Standard base64 with optional padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const SHARED: &str = "whsec_";
const PUBLIC: &str = "whpk_";
const PRIVATE: &str = "whsk_";

/// An error of parsing a key. Contains no part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key has none of the expected prefixes.
    #[error("expected a key that begins with {0}")]
    Prefix(&'static str),
    /// The text after the prefix is not base64.
    #[error("the key is not base64 after its prefix")]
    Encoding,
    /// The decoded key has the wrong length.
    #[error("the key has {found} bytes, expected {expected}")]
    Length {
        /// The expected length.
        expected: &'static str,
        /// The actual length.
        found: usize,
    },
    /// The key is published by this source.
    #[error("the key is published ({0}), so anyone can sign with it")]
    Published(&'static str),
    /// The public key is a point of small order.
    #[error("the key is a point of small order, so anyone can forge signatures for it")]
    SmallOrder,
    /// The public key is not encoded canonically.
    #[error("the key is not a canonical Ed25519 key")]
    NotCanonical,
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    LENIENT.decode(text).map_err(|_| KeyError::Encoding)
}

fn shared(text: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = decode(text)?;
    match bytes.len() {
        24..=64 => Ok(bytes),
        found => Err(KeyError::Length { expected: "24 to 64", found }),
    }
}

fn exactly_32(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = decode(text)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| KeyError::Length { expected: "32", found })
}

/// A bridge's key for checking calls: `whpk_…` (Ed25519, preferred) or `whsec_…` (HMAC-SHA256, shared).
#[derive(Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// A key shared with the platform.
    Shared(SharedKey),
    /// The platform's public key.
    Public([u8; 32]),
}

/// The bytes of a shared key.
#[derive(Clone)]
pub struct SharedKey {
    bytes: Zeroizing<Vec<u8>>,
    key: Box<hmac::Key>,
}

impl SharedKey {
    fn new(bytes: Vec<u8>) -> Self {
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        Self { bytes: Zeroizing::new(bytes), key }
    }
}

impl PartialEq for SharedKey {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.bytes, &other.bytes).is_ok()
    }
}

impl Eq for SharedKey {}

impl VerifyingKey {
    /// Parses `whpk_` + base64 of 32 bytes, or `whsec_` + base64 of 24 to 64 bytes.
    ///
    /// Rejects published keys, and public keys with forgeable signatures.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let key = Self::parse_unchecked(text)?;
        match &key {
            Self::Shared(shared) => weak::check_shared(&shared.bytes)?,
            Self::Public(public) => weak::check_public(public)?,
        }
        Ok(key)
    }

    /// Returns the key's id for logs: the first eight hexadecimal digits of the SHA-256 of its decoded bytes.
    pub fn id(&self) -> String {
        let [first, second, third, fourth, ..] = self.digest();
        HEXLOWER.encode(&[first, second, third, fourth])
    }

    /// Returns the SHA-256 digest of the decoded bytes.
    pub fn digest(&self) -> [u8; 32] {
        let bytes = match self {
            Self::Shared(shared) => &shared.bytes[..],
            Self::Public(public) => &public[..],
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(self::digest(&SHA256, bytes).as_ref());
        digest
    }

    /// Returns the digest of a shared key, or `None` for a public key.
    pub fn shared_digest(&self) -> Option<[u8; 32]> {
        matches!(self, Self::Shared(_)).then(|| self.digest())
    }

    /// Parses a key without rejecting published ones, which tests use.
    pub(crate) fn parse_unchecked(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if let Some(key) = text.strip_prefix(PUBLIC) {
            exactly_32(key).map(Self::Public)
        } else if let Some(key) = text.strip_prefix(SHARED) {
            shared(key).map(Self::shared)
        } else {
            Err(KeyError::Prefix("`whpk_` or `whsec_`"))
        }
    }

    pub(crate) fn shared(bytes: Vec<u8>) -> Self {
        Self::Shared(SharedKey::new(bytes))
    }

    /// Returns whether this is a shared key, which must be used by only one tenant.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Returns the signature scheme.
    pub(crate) fn scheme(&self) -> Scheme {
        match self {
            Self::Shared(_) => Scheme::V1,
            Self::Public(_) => Scheme::V1a,
        }
    }

    /// Returns whether the signature is valid. Takes constant time for shared keys.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Shared(shared) => hmac::verify(&shared.key, message, signature).is_ok(),
            Self::Public(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}<hidden>)", if self.is_shared() { SHARED } else { PUBLIC })
    }
}

/// The two signature schemes of Standard Webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HMAC-SHA256.
    V1,
    /// Ed25519.
    V1a,
}

impl Scheme {
    pub(crate) fn parse(version: &str) -> Option<Self> {
        match version {
            "v1" => Some(Self::V1),
            "v1a" => Some(Self::V1a),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1a => "v1a",
        }
    }

    pub(crate) fn signature_length(self) -> usize {
        match self {
            Self::V1 => 32,
            Self::V1a => 64,
        }
    }
}

/// A platform's key for signing calls: `whsk_…` (an Ed25519 seed, preferred) or `whsec_…`.
pub enum SigningKey {
    /// A key shared with the bridge.
    Shared(SharedKey),
    /// The seed of an Ed25519 key pair, and the pair.
    Private(Zeroizing<[u8; 32]>, Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// Parses `whsk_` + base64 of a 32-byte seed, or `whsec_` + base64 of 24 to 64 bytes.
    ///
    /// Rejects published keys.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let key = Self::parse_unchecked(text)?;
        match &key {
            Self::Shared(shared) => weak::check_shared(&shared.bytes)?,
            Self::Private(_, pair) => {
                let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Encoding)?;
                weak::check_public(public)?;
            }
        }
        Ok(key)
    }

    /// Parses a key without rejecting published ones, which tests use.
    pub(crate) fn parse_unchecked(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if let Some(key) = text.strip_prefix(PRIVATE) {
            Self::from_seed(exactly_32(key)?)
        } else if let Some(key) = text.strip_prefix(SHARED) {
            shared(key).map(|bytes| Self::Shared(SharedKey::new(bytes)))
        } else {
            Err(KeyError::Prefix("`whsk_` or `whsec_`"))
        }
    }

    /// Creates an Ed25519 key from a seed.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Encoding)?;
        Ok(Self::Private(Zeroizing::new(seed), Box::new(pair)))
    }

    /// Creates a shared key.
    pub fn from_shared(bytes: [u8; 32]) -> Self {
        Self::Shared(SharedKey::new(bytes.to_vec()))
    }

    /// Returns the text form, for the platform's secret store.
    pub fn to_text(&self) -> Secret {
        Secret::new(match self {
            Self::Shared(shared) => format!("{SHARED}{}", STANDARD.encode(&*shared.bytes)),
            Self::Private(seed, _) => format!("{PRIVATE}{}", STANDARD.encode(&seed[..])),
        })
    }

    /// Returns the text form for the bridge's `webhook_keys`. For a shared key, it is the secret.
    pub fn to_verifying_text(&self) -> Secret {
        match self {
            Self::Shared(_) => self.to_text(),
            Self::Private(_, pair) => Secret::new(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key().as_ref()))),
        }
    }

    /// Signs a message and returns the token `v1,…` or `v1a,…`.
    pub(crate) fn token(&self, message: &[u8]) -> String {
        let (scheme, signature) = match self {
            Self::Shared(shared) => (Scheme::V1, STANDARD.encode(hmac::sign(&shared.key, message))),
            Self::Private(_, pair) => (Scheme::V1a, STANDARD.encode(pair.sign(message))),
        };
        format!("{},{signature}", scheme.as_str())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(<hidden>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_keys_are_rejected() {
        let of = |prefix: &str, length: usize| format!("{prefix}{}", STANDARD.encode(vec![7_u8; length]));
        for bad in
            ["", "whsec_", "whpk_", "whsec_***", "secret", &of("whsec_", 23), &of("whsec_", 65), &of("whpk_", 31)]
        {
            assert!(VerifyingKey::parse(bad).is_err(), "{bad}");
        }
        for good in [of("whsec_", 24), of("whsec_", 64), of("whpk_", 32)] {
            assert!(VerifyingKey::parse(&good).is_ok());
            assert!(VerifyingKey::parse(&format!("{good}\n")).is_ok(), "a file ends with a newline");
        }
        for bad in ["whpk_AAAA", &of("whsk_", 33), &of("whsec_", 10)] {
            assert!(SigningKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signing_key_survives_its_text_form() {
        for key in [SigningKey::from_seed([9; 32]).unwrap(), SigningKey::from_shared([9; 32])] {
            let again = SigningKey::parse(key.to_text().expose()).unwrap();
            assert_eq!(again.to_verifying_text(), key.to_verifying_text());
            let verifying = VerifyingKey::parse(key.to_verifying_text().expose()).unwrap();
            let token = again.token(b"message");
            let signature = STANDARD.decode(token.split_once(',').unwrap().1).unwrap();
            assert!(verifying.verifies(b"message", &signature));
            assert!(!verifying.verifies(b"massage", &signature));
            assert!(!format!("{key:?}{verifying:?}").contains(key.to_text().expose()));
        }
    }
}
