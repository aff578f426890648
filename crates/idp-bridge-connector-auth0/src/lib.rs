//! The Auth0 connector of idp-bridge.
//!
//! [`Auth0`] answers the seven calls from a tenant's Management API as a machine-to-machine application, and has mails that reset
//! passwords sent by its Authentication API.
//! No live tenant was asked: what Auth0 does was read in its documentation and seen in the traffic that Auth0's own SDKs recorded
//! against real tenants, both in November 2026, unless a comment names another source.

mod assertion;
mod client;
mod config;
#[cfg(feature = "contract")]
pub mod contract;
mod diagnose;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod federation;
#[cfg(feature = "fake")]
pub mod harness;
mod map;
mod provider;
mod search;
#[cfg(test)]
mod tests;

pub use config::Auth0Config;
pub use provider::Auth0;
