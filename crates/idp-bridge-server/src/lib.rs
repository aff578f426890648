//! The server of idp-bridge: signed webhooks, REST and the OAuth routes on one side, identity providers on the other.
//!
//! A request is accepted, routed and authenticated. It becomes a [`Call`](idp_bridge_core::Call) that is dispatched to the
//! [`Tenant`]'s provider, and the result is sent as JSON or as a problem. The server uses providers only through
//! [`IdentityProvider`](idp_bridge_core::IdentityProvider) and names no connector.

mod accept;
mod access;
mod audit;
mod audited;
mod auth;
mod call_record;
mod catch_panic;
mod connection;
mod digest;
pub mod dispatch;
mod docs;
mod doctor;
mod error;
mod exposition;
mod federation;
mod flights;
mod form;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod health;
mod history;
mod html;
pub mod idempotency;
mod limits;
mod log;
mod log_filter;
mod metrics;
mod openapi;
mod operator;
mod origin;
mod peer;
mod pipeline;
mod probes;
mod process_key;
mod proxy_protocol;
mod reads;
mod recent_calls;
mod request;
mod reset_limit;
mod response;
mod rest;
pub mod revocation;
mod route;
mod router;
mod server;
mod shared_futures;
mod state;
pub mod store;
mod telemetry;
mod tenant;
mod tenants;
mod tls;
mod token_gate;
mod trace;
mod user_cache;
mod verify_email;
mod webhook;

pub use audit::{Audit, AuditReport, AuditSettings, AuditSync, BrokenLine, verify_audit};
pub use auth::{AccessTokenSettings, AccessTokens, RestToken, Scope};
pub use call_record::CallRecord;
pub use doctor::Findings;
pub use exposition::metrics_page;
pub use idp_bridge_http::oidc::Algorithm;
pub use ipnet::IpNet;
pub use limits::{ServerLimits, TenantLimits};
pub use log_filter::LogFilter;
pub use openapi::openapi;
pub use reset_limit::ResetLimiter;
pub use server::Server;
pub use telemetry::{RequestSpan, SpanCounts, TraceExporter};
pub use tenant::{CustomerFrom, CustomerMissing, FederationRules, Tenant};
pub use tenants::{CurrentTenants, LastReload, Tenants, TenantsError};
pub use tls::{CurrentTls, Tls, TlsError, TlsFile, TlsFiles};
