//! Signing keys for test tokens.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key of an issuer.
pub(crate) enum Key {
    Rsa(Box<RsaKey>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// Returns the public key as a JWK.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(key) => {
                let key = key.public_key();
                json!({"kty": "RSA", "n": b64(key.modulus().big_endian_without_leading_zero()), "e": b64(key.exponent().big_endian_without_leading_zero())})
            }
            Self::P256(key) => on_curve("P-256", key.public_key().as_ref()),
            Self::P384(key) => on_curve("P-384", key.public_key().as_ref()),
            Self::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key())}),
        };
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Returns the bytes of the public key, for forged HMACs.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap().as_ref().to_vec(),
            Self::P256(key) | Self::P384(key) => key.public_key().as_ref().to_vec(),
            Self::Ed(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// Signs a token. The hash is that of the header's `alg`.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        self.sign(&format!("{}.{}", b64(header.to_string()), b64(claims.to_string())), header["alg"].as_str().unwrap())
    }

    /// Appends the signature to `signed`.
    pub(crate) fn sign(&self, signed: &str, algorithm: &str) -> String {
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::P256(key) | Self::P384(key) => key.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", b64(signature))
    }
}

fn on_curve(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
}
