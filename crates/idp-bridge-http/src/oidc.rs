//! OpenID Providers: discovery, keys, token validation, OAuth requests, and federation by the standards.
//!
//! An [`OpenIdProvider`] fetches and caches the discovery document and the keys, and [verifies](OpenIdProvider::verify) tokens
//! by explicit [`Rules`]. No defaults of a JWT library apply.
//! Keys come from the configured URL or the discovery document. The headers `jku`, `x5u`, `jwk` and `x5c` of a token are ignored.
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
mod federation;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
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
pub use federation::{IntrospectionClient, StandardChoices, StandardFederation};
pub use logout::{EndSessionParameters, LogoutToken, end_session_url};
pub use oauth::{
    AssertionAudience, ClientAuthentication, ClientCredentials, SecretCheck, TokenKind, UNUSED_REDIRECT_URI,
};
pub use provider::{OpenIdProvider, OpenIdSettings};
pub use rules::Rules;
