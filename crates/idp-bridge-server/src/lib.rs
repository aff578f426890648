//! The server of idp-bridge: signed webhooks and REST in, identity providers out.
//!
//! A request comes in through the accept loop, is routed and verified, becomes a [`Call`](idp_bridge_core::Call), is
//! dispatched to its [`Tenant`]'s provider, and leaves as an answer or as a problem. The server knows providers only as
//! [`IdentityProvider`](idp_bridge_core::IdentityProvider)s: no connector is named here.

mod accept;
mod calls;
mod catch_panic;
mod connection;
pub mod dispatch;
mod docs;
mod error;
mod federation;
mod flights;
mod health;
pub mod idempotency;
mod limits;
mod log;
mod openapi;
mod process_key;
mod request;
mod reset;
mod reset_limit;
mod response;
mod rest;
pub mod revocation;
mod router;
mod server;
mod tenant;
mod webhook;

pub use idp_bridge_http::oidc::Algorithm;
pub use limits::ServerLimits;
pub use openapi::openapi;
pub use rest::{AccessTokenSettings, AccessTokens};
pub use server::Server;
pub use tenant::{CustomerFrom, CustomerMissing, FederationRules, RestToken, Scope, Tenant, Tenants, TenantsError};
