//! Liveness and readiness. Neither depends on an identity provider: the outage of one tenant must not stop the others.

use idp_bridge_protocol::Code;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::Refusal;
use crate::response::{self, JSON, Response};
use crate::state::ServerState;

/// Responds to `/healthz`.
pub(crate) fn live() -> Response {
    response::new(r#"{"status":"ok"}"#, JSON)
}

/// Responds to `/readyz`: 200 unless the server is stopping.
///
/// With `verbose` the body has the number of tenants, the number of tenants with settings that could not be loaded, and
/// whether the certificate could not be loaded.
pub(crate) fn ready(state: &ServerState, is_verbose: bool) -> Result<Response, Refusal> {
    if state.is_stopping() {
        return Err(Refusal::new(Code::ShuttingDown));
    }
    let tenants = &state.tenants;
    let tls = state.tls.as_ref().filter(|_| is_verbose);
    let ready = Ready {
        status: "ready",
        demo: state.is_demo.then_some(true),
        tenants: is_verbose.then(|| tenants.load().len()),
        broken_tenants: is_verbose.then(|| tenants.broken()),
        certificate_expiry: tls.map(|tls| tls.load().expiry()),
        broken_certificate: tls.map(|tls| tls.is_broken()),
    };
    Ok(response::new(response::to_json(&ready), JSON))
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenants: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_tenants: Option<usize>,
    /// Absent without TLS, like the next member.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_expiry: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_certificate: Option<bool>,
}
