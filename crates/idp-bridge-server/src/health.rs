//! Liveness and readiness. Neither depends on an identity provider: the outage of one tenant must not stop the others.

use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::response::{self, JSON, Response};

/// Responds to `/healthz`.
pub(crate) fn live() -> Response {
    response::new(r#"{"status":"ok"}"#, JSON)
}

/// Responds to `/readyz`: 200 unless the server is draining.
pub(crate) fn ready(is_draining: bool, is_demo: bool) -> Result<Response, Refusal> {
    let body = if is_demo { r#"{"status":"ready","demo":true}"# } else { r#"{"status":"ready"}"# };
    if is_draining { Err(Refusal::new(Code::ShuttingDown)) } else { Ok(response::new(body, JSON)) }
}
