//! Parses the definition of an identity provider. A malformed one is refused with a message.

#![no_main]

use idp_bridge_connector_http::Definition;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(errors) = Definition::parse(text) {
        assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty()));
    }
});
