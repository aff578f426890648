//! Verifies a call with arbitrary headers. No signature that was not made with the key is valid.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use idp_bridge_protocol::{KeyRing, SigningKey, VerifyingKey};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<KeyRing> = LazyLock::new(|| {
    let pair = SigningKey::from_seed([7; 32]).unwrap().to_verifying_text();
    let shared = SigningKey::from_shared([9; 32]).to_text();
    let keys = [pair, shared].map(|text| VerifyingKey::parse(text.expose()).unwrap());
    KeyRing::new(keys.into()).unwrap()
});

fuzz_target!(|input: (&[u8], &[u8], &[u8], &[u8])| {
    let (id, timestamp, signature, body) = input;
    let mut headers = HeaderMap::new();
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    assert!(KEYS.verify(&headers, body, 1_800_000_000).is_err());
});
