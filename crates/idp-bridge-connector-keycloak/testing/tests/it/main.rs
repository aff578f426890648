//! Tests of Keycloak's particularities, which the conformance suite does not cover.
//!
//! They use the suite's harness with the fake.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod bench;
mod credentials;
mod diagnosis;
mod federation;
mod fields;
mod mails;
mod query;
mod reads;
mod recorded;
mod writes;
