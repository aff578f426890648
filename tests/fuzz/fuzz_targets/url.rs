//! Appends an id to a URL. It stays one segment below the base, and is found in the segment again.

#![cfg_attr(fuzzing, no_main)]

use idp_bridge_core::OutboundPolicy;
use idp_bridge_http::{BaseUrl, Url};

const BASE: &str = "https://idp.example/admin/users";

pub(crate) fn run(data: &[u8]) {
    let Ok(id) = std::str::from_utf8(data) else { return };
    let base = BaseUrl::parse(BASE, &OutboundPolicy::default()).unwrap();
    let Ok(url) = base.join(&[id]) else { return };
    let url = url.to_string();
    assert_eq!(Url::parse(&url).unwrap().as_str(), url, "a parser changes the URL");
    let segment = url.strip_prefix(&format!("{BASE}/")).expect("the URL is below the base");
    assert!(!segment.is_empty() && !segment.contains(['/', '?', '#', '\\']), "{segment}");
    assert_eq!(percent_decode(segment), id.as_bytes());
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let digits = (byte == b'%').then(|| [bytes.next().unwrap(), bytes.next().unwrap()]);
        decoded
            .push(digits.map_or(byte, |digits| u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()));
    }
    decoded
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
