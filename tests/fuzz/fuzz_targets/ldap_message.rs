//! Parses a message of an LDAP server. Names and values are parts of the message.

#![cfg_attr(fuzzing, no_main)]

use idp_bridge_connector_ldap::fuzzing::parse_message;

pub(crate) fn run(bytes: &[u8]) {
    let Some(message) = parse_message(bytes) else { return };
    let is_part = |part: &[u8]| part.is_empty() || bytes.windows(part.len()).any(|window| window == part);
    assert!(message.entry.iter().all(|name| is_part(name.as_bytes())), "{message:?}");
    assert!(message.mails.iter().chain([&message.cookie]).all(|value| is_part(value)), "{message:?}");
    // Bytes after a message belong to the next one.
    let longer = [bytes, b"\x30\x00"].concat();
    assert_eq!(parse_message(&longer), Some(message));
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
