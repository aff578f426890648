//! Tests of Keycloak's particularities, which the conformance suite does not cover.
//!
//! They use the suite's harness with the fake.

// `cfg(test)` is always true here. It lets clippy accept `unwrap` in helpers, too.
#[cfg(test)]
mod bench;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod query;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod writes;
