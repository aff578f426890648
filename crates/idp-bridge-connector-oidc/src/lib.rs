//! The connector of idp-bridge for any OpenID Provider: its OAuth side, and no calls about users.
//!
//! [`Oidc`] reads where everything is from the discovery document, judges signed access tokens by the issuer's keys, and asks
//! the provider's introspection, or its userinfo, whether a token lives.
//! It knows no product: what the standards leave open is a setting, or is refused.

mod config;
mod diagnose;
mod federation;
mod provider;

pub use config::{ClientSecretIn, OidcConfig};
pub use provider::Oidc;
