//! The connector against its fake: behaviour that is specific to Cognito, beside the conformance suite.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod bench;
mod credentials;
mod diagnosis;
mod fake;
mod federation;
mod index;
mod lookups;
mod mails;
mod reads;
mod throttling;
mod writes;
