//! Verifies a call with arbitrary headers. No signature that was not made with the key is valid.
//!
//! The input has the values of the three headers, one a line, and the body.

#![cfg_attr(fuzzing, no_main)]

use std::sync::LazyLock;

use idp_bridge_http::{HeaderMap, HeaderValue};
use idp_bridge_protocol::{KeyRing, SigningKey, VerifyingKey};

static KEYS: LazyLock<KeyRing> = LazyLock::new(|| {
    let pair = SigningKey::from_seed([7; 32]).unwrap().to_verifying_text();
    let shared = SigningKey::from_shared([9; 32]).to_text();
    let keys = [pair, shared].map(|text| VerifyingKey::parse(text.expose()).unwrap());
    KeyRing::new(keys.into()).unwrap()
});

pub(crate) fn run(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        if let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) {
            headers.append(name, value);
        }
    }
    let body = parts.next().unwrap_or_default();
    assert!(KEYS.verify(&headers, body, 1_800_000_000).is_err());
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
