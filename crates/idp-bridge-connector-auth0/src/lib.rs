//! The Auth0 connector of idp-bridge.
//!
//! [`Auth0`] serves the seven calls through a tenant's Management API as a machine-to-machine application, and requests password
//! reset mails through the Authentication API.
//! It was not tested against a live tenant. Unless a comment names another source, statements about Auth0 come from its
//! documentation and from traffic that Auth0's own SDKs recorded against real tenants, both read in November 2026.

mod client;
mod config;
mod diagnose;
mod error;
mod federation;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod map;
mod provider;
mod search;
pub mod setup;
mod store;

pub use config::Auth0Config;
pub use map::Identities;
pub use provider::Auth0;
pub use store::Auth0Store;
