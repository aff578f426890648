//! Signing keys for the tokens of fakes and of forgeries.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Answer, Fake, Incoming};

/// A private key that signs JWTs, with its key id.
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>),
    P256(EcdsaKeyPair),
}

/// The RSA keys of this process, by key id.
static RSA_KEYS: LazyLock<Mutex<BTreeMap<String, Arc<RsaKeyPair>>>> = LazyLock::new(Mutex::default);

/// Answers each request with the public half as a key set.
impl Fake for SigningKey {
    fn answer(&mut self, _: &Incoming) -> Answer {
        Answer::new(200, "application/json", jwks([&*self]).to_string())
    }
}

impl SigningKey {
    /// Returns the process's RSA key of 2048 bits with this id, for `RS256`.
    ///
    /// Generates it at the first call, which takes a large part of a second.
    pub fn rs256(kid: impl Into<String>) -> io::Result<Self> {
        let kid = kid.into();
        let mut keys = RSA_KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = match keys.get(&kid) {
            Some(pair) => Arc::clone(pair),
            None => {
                let pair = Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| no_key())?);
                Arc::clone(keys.entry(kid.clone()).or_insert(pair))
            }
        };
        Ok(Self { kid, pair: Pair::Rsa(pair) })
    }

    /// Generates a P-256 key, for `ES256`.
    pub fn es256(kid: impl Into<String>) -> io::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| no_key())?;
        Ok(Self { kid: kid.into(), pair: Pair::P256(pair) })
    }

    /// Returns the key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the name of the algorithm for a header.
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        }
    }

    /// Returns the header of a token with this type and key.
    pub fn header(&self, r#type: &str) -> Value {
        json!({"alg": self.algorithm(), "kid": self.kid, "typ": r#type})
    }

    /// Returns the public key as a JWK.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({"kid": self.kid, "use": "sig", "alg": self.algorithm()});
        let material = match &self.pair {
            Pair::Rsa(pair) => {
                // The public key in DER is a sequence of two integers. For 2048 bits the modulus begins after nine bytes,
                // and the exponent is always 65537.
                let der = pair.public_key().as_ref();
                json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(der.get(9..265).unwrap_or_default()), "e": "AQAB"})
            }
            Pair::P256(pair) => {
                // An uncompressed point: a prefix byte and two numbers of 32 bytes.
                let point = pair.public_key().as_ref();
                let half = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
                json!({"kty": "EC", "crv": "P-256", "x": half(1), "y": half(33)})
            }
        };
        if let (Some(jwk), Value::Object(material)) = (jwk.as_object_mut(), material) {
            jwk.extend(material);
        }
        jwk
    }

    /// Returns the public key as PEM (X.509), which attackers use as the secret of an HMAC.
    pub fn public_pem(&self) -> io::Result<String> {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::P256(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| no_key())?;
        Ok(pem("PUBLIC KEY", der.as_ref()))
    }

    /// Returns the private key as PEM (PKCS #8), for clients that authenticate with a key.
    pub fn private_pem(&self) -> io::Result<String> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| no_key())?;
                Ok(pem("PRIVATE KEY", der.as_ref()))
            }
            Pair::P256(pair) => Ok(pem("PRIVATE KEY", pair.to_pkcs8v1().map_err(|_| no_key())?.as_ref())),
        }
    }

    /// Signs any header and claims, and returns the compact JWT.
    pub fn sign(&self, header: &Value, claims: &Value) -> io::Result<String> {
        let input = format!("{}.{}", part(header), part(claims));
        let failed = |_| io::Error::other("the token could not be signed");
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).map_err(failed)?;
                signature
            }
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), input.as_bytes()).map_err(failed)?.as_ref().to_vec(),
        };
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Returns a JWKS document with these keys.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Value {
    json!({"keys": keys.into_iter().map(SigningKey::jwk).collect::<Vec<_>>()})
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    // 48 bytes are a line of 64 characters.
    for line in der.chunks(48) {
        pem.push_str(&STANDARD.encode(line));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn no_key() -> io::Error {
    io::Error::other("the key could not be generated")
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_are_pem() {
        for key in [SigningKey::rs256("k").unwrap(), SigningKey::es256("k").unwrap()] {
            let pem = key.public_pem().unwrap();
            assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nM"), "{pem}");
        }
    }
}
