//! The pages for operators, on the second listener only.

mod calls;
mod doctor;
mod log_level;
mod metrics;
mod query;
mod status;

use std::sync::Arc;

use http::Method;
use http::request::Parts;
use hyper::body::Incoming;

use crate::error::Refusal;
use crate::response::Response;
use crate::state::ServerState;

/// A page for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// `/calls`
    Calls,
    /// `/calls/{request_id}`
    Call(&'a str),
    /// `/doctor`
    Doctor,
    /// `/log-level`
    LogLevel,
    /// `/metrics`
    Metrics,
    /// `/status`
    Status,
}

impl<'a> Resource<'a> {
    /// Parses a path.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        match path {
            "/calls" => Some(Self::Calls),
            "/doctor" => Some(Self::Doctor),
            "/log-level" => Some(Self::LogLevel),
            "/metrics" => Some(Self::Metrics),
            "/status" => Some(Self::Status),
            _ => path.strip_prefix("/calls/").filter(|id| !id.is_empty()).map(Self::Call),
        }
    }

    /// Returns the supported methods in the form of the `allow` header.
    fn allow(self) -> &'static str {
        if self == Self::LogLevel { "GET, PUT" } else { "GET" }
    }
}

/// Handles a request to a page for operators.
pub(crate) async fn handle(
    state: &Arc<ServerState>,
    resource: Resource<'_>,
    head: &Parts,
    body: Incoming,
) -> Result<Response, Refusal> {
    let allowed = resource.allow();
    if !allowed.split(", ").any(|method| method == head.method.as_str()) {
        return Err(Refusal::method_not_allowed(allowed));
    }
    if resource != Resource::Metrics {
        state.access.check(head)?;
    }
    match resource {
        Resource::Calls => calls::list(state, head.uri.query()),
        Resource::Call(request_id) => calls::show(state, request_id),
        Resource::Doctor => doctor::list(state, head.uri.query()),
        Resource::LogLevel if head.method == Method::PUT => log_level::set(state, head, body).await,
        Resource::LogLevel => log_level::show(state),
        Resource::Metrics => metrics::show(state),
        Resource::Status => status::show(state, head.uri.query()),
    }
}
