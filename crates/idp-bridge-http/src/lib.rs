//! What HTTP connectors share: a bounded client, a cached admin token, safe URLs, quoting, and the tokens of OpenID Providers.
//!
//! A connector makes one [`Client`] per tenant from the tenant's [`OutboundPolicy`](idp_bridge_core::OutboundPolicy), builds URLs with
//! [`BaseUrl::join`], and sends [`Request`]s within a [`CallScope`](idp_bridge_core::CallScope).
//! Whatever the identity provider does, a call ends before its deadline, no answer is larger than [`MAX_BODY`], no forbidden
//! address is dialled, and no error holds a body, a token or a query string.
//! What an answer *means* is the connector's business: any HTTP status is an `Ok` here.
//!
//! ```no_run
//! # async fn example(scope: &idp_bridge_core::CallScope) -> idp_bridge_core::Result<()> {
//! use idp_bridge_core::OutboundPolicy;
//! use idp_bridge_http::{BaseUrl, Client, Request, StatusCode};
//!
//! let policy = OutboundPolicy::default();
//! let client = Client::new(&policy)?;
//! let base = BaseUrl::parse("https://login.acme.example", &policy)?;
//! let url = base.join(&["admin", "realms", "acme", "users"])?;
//! let response = client.send(scope, Request::get(url).query(&[("email", "ada+1@acme.example"), ("exact", "true")])).await?;
//! if response.status == StatusCode::OK {
//!     let users: Vec<serde_json::Value> = response.json()?;
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod base_url;
mod cache;
mod challenge;
mod client;
mod fault;
mod json;
pub mod oidc;
pub mod quote;
mod refusal;
mod request;
mod resolver;
mod response;
mod retry;
mod tls;
mod token;
mod transport;

pub use base_url::BaseUrl;
pub use bytes::Bytes;
pub use challenge::BearerChallenge;
pub use client::{Client, MAX_BODY};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use refusal::status_error;
pub use request::{Effect, Request};
pub use response::Response;
pub use token::{Token, TokenCache, TokenResponse, TokenSource};
pub use transport::{Peer, TransportCause};

/// The URL type of [`BaseUrl::join`] and [`Request`].
pub use url::Url;
