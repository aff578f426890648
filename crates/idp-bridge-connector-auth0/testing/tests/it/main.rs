//! The connector against its fake: behaviour that is specific to Auth0, beside the conformance suite.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod bench;
mod contract;
mod diagnosis;
mod logout;
mod mails;
mod oauth;
mod reads;
mod setup;
mod tokens;
mod writes;
