//! The New IdP connector of idp-bridge.
//!
//! [`NewIdp`] implements the calls with New IdP's user API and an API token.
//! Comments that describe New IdP say where and when that was observed.

mod client;
mod config;
mod diagnose;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "fake")]
pub mod harness;
mod map;
mod provider;
mod store;

pub use config::NewIdpConfig;
pub use provider::NewIdp;
