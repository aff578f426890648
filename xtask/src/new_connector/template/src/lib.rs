//! The New IdP connector of idp-bridge.
//!
//! [`NewIdp`] answers the calls from New IdP's user API, with an API token.
//! What New IdP does is written where the code relies on it, with where and when it was seen.

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

pub use config::NewIdpConfig;
pub use provider::NewIdp;
