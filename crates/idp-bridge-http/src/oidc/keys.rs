//! The signing keys of an identity provider (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::{Error, ErrorKind, Result};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::token::Unverified;
use crate::response::Response;

/// The maximum number of keys in a set.
const MAX_KEYS: usize = 100;
/// The length of an RSA modulus: 2048 to 8192 bits. Shorter keys are too weak, longer ones too expensive.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The usable keys of an identity provider.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// The result of checking a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The signature is valid.
    Signed,
    /// The signature is invalid.
    Forged,
    /// The set does not contain the key. A newer set may contain it.
    UnknownKey,
}

impl KeySet {
    /// Parses a set and ignores unusable keys. Fails with `InvalidResponse` if no usable key remains.
    pub(super) fn from_response(response: &Response) -> Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = response.json()?;
        let unfit = |message| Error::upstream(ErrorKind::InvalidResponse, message);
        if set.keys.len() > MAX_KEYS {
            return Err(unfit("the identity provider's key set has more than 100 keys"));
        }
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::parse).collect();
        if keys.is_empty() {
            return Err(unfit("the identity provider's key set has no usable key"));
        }
        Ok(Self(keys))
    }

    /// Checks the signature of a token.
    ///
    /// A token without `kid` is checked with the only key of its algorithm, and rejected if there are several.
    pub(super) fn check(&self, token: &Unverified<'_>) -> Verdict {
        let fits = |key: &&Key| key.algorithms.contains(&token.algorithm);
        match &token.kid {
            Some(kid) => {
                let mut named = self.0.iter().filter(|key| key.kid.as_ref() == Some(kid)).peekable();
                if named.peek().is_none() {
                    return Verdict::UnknownKey;
                }
                let signed = named.filter(fits).any(|key| token.is_signed_by(&key.key));
                if signed { Verdict::Signed } else { Verdict::Forged }
            }
            None => {
                let mut fitting = self.0.iter().filter(fits);
                match (fitting.next(), fitting.next()) {
                    (Some(only), None) if token.is_signed_by(&only.key) => Verdict::Signed,
                    // A key without `kid` may have been replaced by another one without `kid`.
                    (_, None) => Verdict::UnknownKey,
                    (_, Some(_)) => Verdict::Forged,
                }
            }
        }
    }
}

/// A key in a set.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// Parses a key. Returns `None` if it is not for signatures or of an unknown type.
    fn parse(key: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return None;
        }
        let (key, possible) = jwk.material()?;
        let algorithms: Vec<Algorithm> = match &jwk.alg {
            None => possible.to_vec(),
            Some(name) => possible.iter().copied().filter(|own| Algorithm::from_name(name) == Some(*own)).collect(),
        };
        (!algorithms.is_empty()).then_some(Self { kid: jwk.kid, algorithms, key })
    }
}

impl Jwk {
    /// Returns the key and the algorithms of its type.
    fn material(&self) -> Option<(DecodingKey, &'static [Algorithm])> {
        let coordinate = |part: &Option<String>, length| bytes(part).filter(|bytes| bytes.len() == length);
        let on_curve = |length| {
            let (x, y) = (coordinate(&self.x, length)?, coordinate(&self.y, length)?);
            Some(DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
        };
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let modulus = bytes(&self.n)?;
                let significant = modulus.iter().position(|byte| *byte != 0).map(|zeros| modulus.len() - zeros)?;
                let fits = RSA_BYTES.contains(&significant);
                let exponent = bytes(&self.e)?;
                fits.then(|| (DecodingKey::from_rsa_raw_components(&modulus, &exponent), &Algorithm::RSA[..]))
            }
            ("EC", Some("P-256")) => Some((on_curve(32)?, &[Algorithm::Es256])),
            ("EC", Some("P-384")) => Some((on_curve(48)?, &[Algorithm::Es384])),
            ("OKP", Some("Ed25519")) => {
                Some((DecodingKey::from_ed_der(&coordinate(&self.x, 32)?), &[Algorithm::EdDsa]))
            }
            _ => None,
        }
    }
}

fn bytes(part: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part.as_ref()?).ok()
}
