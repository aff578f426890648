//! The connector of idp-bridge for any OpenID Provider: federation, and no calls about users.
//!
//! [`Oidc`] reads the endpoints from the discovery document, verifies signed access tokens with the issuer's keys, and checks at the
//! introspection or userinfo endpoint whether a token is active.
//! It has no code for single products: settings decide where the standards leave a choice, or the connector refuses it.

mod config;
mod provider;

pub use config::{ClientSecretIn, OidcConfig};
pub use provider::Oidc;
