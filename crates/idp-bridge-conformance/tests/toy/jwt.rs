//! Signed tokens, for the provider of the toy.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A parsed, unverified token.
pub(super) struct Jwt {
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) input: String,
    pub(super) signature: Vec<u8>,
}

impl Jwt {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (input, signature) = text.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { header: json(header)?, claims: json(claims)?, input: input.to_owned(), signature })
    }

    /// Returns whether the token is signed with the key of this JWK.
    pub(super) fn is_signed_with(&self, jwk: &Value) -> bool {
        let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).unwrap_or_default();
        let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, self.input.as_bytes(), &self.signature).is_ok()
    }
}
