//! Parses the body of a signed call. A valid one survives being written and parsed again.

#![cfg_attr(fuzzing, no_main)]

use idp_bridge_protocol::Envelope;

pub(crate) fn run(body: &[u8]) {
    if let Ok(envelope) = Envelope::parse(body) {
        let written = envelope.to_body("2026-11-29T00:00:00Z".into());
        assert_eq!(Envelope::parse(&written), Ok(envelope));
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
