//! The pages for operators, on the second listener only.

mod log_level;
mod metrics;

use std::sync::Arc;

use http::Method;
use http::request::Parts;
use hyper::body::Incoming;

use crate::error::Refusal;
use crate::response::Response;
use crate::state::ServerState;

/// A page for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/log-level`
    LogLevel,
    /// `/metrics`
    Metrics,
}

impl Resource {
    /// Parses a path.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        match path {
            "/log-level" => Some(Self::LogLevel),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }
}

/// Handles a request to a page for operators.
pub(crate) async fn handle(
    state: &Arc<ServerState>,
    resource: Resource,
    head: &Parts,
    body: Incoming,
) -> Result<Response, Refusal> {
    match (resource, &head.method) {
        (Resource::LogLevel, &Method::GET) => {
            state.access.check(head)?;
            log_level::show(state)
        }
        (Resource::LogLevel, &Method::PUT) => {
            state.access.check(head)?;
            log_level::set(state, head, body).await
        }
        (Resource::LogLevel, _) => Err(Refusal::method_not_allowed("GET, PUT")),
        (Resource::Metrics, &Method::GET) => metrics::show(state),
        (Resource::Metrics, _) => Err(Refusal::method_not_allowed("GET")),
    }
}
