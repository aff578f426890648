//! What an OpenID Provider says of itself, its keys, and whether a token is its own: shared by all connectors.
//!
//! An [`OpenIdProvider`] reads the discovery document and the keys, keeps both, and [verifies](OpenIdProvider::verify) tokens by
//! [`Rules`] that name every choice: no default of a JWT library is in force.
//! Keys come from the configured address or the discovery document alone; what a token's header offers (`jku`, `x5u`, `jwk`,
//! `x5c`) is never read.
//!
//! ```no_run
//! # async fn example(scope: &idp_bridge_core::CallScope, token: &str) -> idp_bridge_core::Result<()> {
//! use std::sync::Arc;
//! use idp_bridge_core::{OutboundPolicy, SystemClock};
//! use idp_bridge_http::Client;
//! use idp_bridge_http::oidc::{OpenIdProvider, OpenIdSettings, Rules};
//!
//! let policy = OutboundPolicy::default();
//! let settings = OpenIdSettings::new("https://login.acme.example/realms/acme", &policy);
//! let provider = OpenIdProvider::new(Client::new(&policy)?, settings, Arc::new(SystemClock))?;
//! let claims = provider.verify(scope, token, &Rules::access_token()).await?;
//! let client = claims.check_client(|client| client == "shop")?;
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod claims;
mod discovery;
mod keys;
mod logout;
mod oauth;
mod object;
mod provider;
mod rules;
mod token;

pub use algorithm::Algorithm;
pub use claims::Claims;
pub use discovery::Discovery;
pub use logout::{EndSessionParameters, LogoutToken, end_session_url};
pub use oauth::{ClientAuthentication, ClientCredentials, SecretCheck, TokenKind};
pub use provider::{OpenIdProvider, OpenIdSettings};
pub use rules::Rules;
