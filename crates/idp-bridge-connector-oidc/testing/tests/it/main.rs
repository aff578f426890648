//! Tests of the connector with its fake, for cases that the conformance suite does not have.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod bench;
mod credentials;
mod diagnosis;
mod logout;
mod tokens;
