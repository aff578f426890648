//! Parses the error response of a bridge, as the client does. A valid one survives being written and parsed again.

#![cfg_attr(fuzzing, no_main)]

use idp_bridge_protocol::Problem;

pub(crate) fn run(body: &[u8]) {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        let written = serde_json::to_vec(&problem).unwrap();
        assert_eq!(serde_json::from_slice::<Problem>(&written).unwrap(), problem);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
