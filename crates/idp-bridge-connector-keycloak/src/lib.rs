//! The Keycloak connector of idp-bridge.
//!
//! [`Keycloak`] serves the Users calls from a realm's Admin REST API, as a confidential client with a service account.
//! Statements about Keycloak were tried on a real Keycloak 26.7.3 in November 2026, unless a comment names another source.

mod client;
mod config;
mod diagnose;
mod error;
mod federation;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod logins;
mod map;
mod person;
mod provider;
mod search;
pub mod setup;
mod store;

pub use config::KeycloakConfig;
pub use provider::Keycloak;
pub use store::KeycloakStore;
