//! Key pairs of applications that authenticate without a secret.

use std::io;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_core::Secret;

/// An RSA key of 2048 bits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Key {
    /// The private key (PEM), for the settings.
    pub private: Secret,
    /// The public key (PEM), for the application.
    pub public: String,
}

impl Key {
    /// Generates a key pair.
    pub fn generate() -> io::Result<Self> {
        let failed = |_| io::Error::other("the RSA key could not be generated");
        let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?;
        let private: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(failed)?;
        Ok(Self {
            private: Secret::new(pem("PRIVATE KEY", private.as_ref())),
            public: pem("PUBLIC KEY", public.as_ref()),
        })
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    // 48 bytes make a line of 64 characters.
    for line in der.chunks(48) {
        pem.push_str(&STANDARD.encode(line));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}
