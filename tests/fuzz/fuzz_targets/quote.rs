//! Quotes a value for a search filter. Nothing after the value's closing quote belongs to it, and the value is found again.

#![no_main]

use idp_bridge_http::quote::{double_quoted, read_double_quoted};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (value, rest) = input;
    let quoted = double_quoted(value);
    assert_eq!(read_double_quoted(&quoted).as_deref(), Some(value));
    if !rest.is_empty() {
        assert_eq!(read_double_quoted(&format!("{quoted}{rest}")), None);
    }
    // A value of an attacker in place of a quoted one.
    if let Some(read) = read_double_quoted(value) {
        assert_eq!(read_double_quoted(&double_quoted(&read)), Some(read));
    }
});
