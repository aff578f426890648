//! HTTP for connectors: a bounded client, cached access tokens, safe URLs, and token validation for OpenID Providers.
//!
//! A connector creates one [`Client`] per tenant from the tenant's [`OutboundPolicy`](idp_bridge_core::OutboundPolicy), builds URLs with
//! [`BaseUrl::join`], and sends [`Request`]s within a [`CallScope`](idp_bridge_core::CallScope).
//!
//! Every request ends before the deadline of its call. Responses are limited to [`MAX_BODY`], connections to the addresses
//! that the policy allows. Errors contain no body, no token and no query string.
//! A response of any status is `Ok`: the connector interprets it.
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
mod breaker;
mod budget;
mod busy;
mod cache;
mod challenge;
mod client;
mod client_proof;
mod connections;
mod connector;
mod counted;
mod dial;
mod fault;
mod json;
pub mod oidc;
mod outgoing;
mod pool;
pub mod quote;
mod refusal;
mod request;
mod request_url;
mod resolver;
mod response;
mod retry;
mod sender;
mod stream;
mod tls;
mod token;
mod transport;

pub use base_url::BaseUrl;
pub use busy::yield_if_busy;
pub use bytes::Bytes;
pub use challenge::BearerChallenge;
pub use client::Client;
pub use client_proof::{AssertionAlgorithm, AssertionSigner, ClientProof, PrivateKey};
pub use dial::{Dialer, tls_config, transport_error, until_deadline};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use refusal::status_error;
pub use request::{Effect, Request};
pub use request_url::RequestUrl;
pub use response::Response;
pub use sender::MAX_BODY;
pub use stream::{HostTls, Protection, Stream};
pub use token::{Token, TokenCache, TokenRequest, TokenResponse, TokenSource};
pub use transport::{Peer, TransportCause};

/// The type of a parsed URL. A [`RequestUrl`] can be converted from and to it.
pub use url::Url;
