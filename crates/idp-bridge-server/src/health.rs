//! Is it alive, and should it get traffic? Neither asks an identity provider: one tenant's outage is not the bridge's.

use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::response::{self, JSON, Response};

/// `/healthz`: the process answers.
pub(crate) fn alive() -> Response {
    response::new(r#"{"status":"ok"}"#, JSON)
}

/// `/readyz`: the configuration is loaded, and the bridge is not shutting down. A demo says that it is one.
pub(crate) fn ready(draining: bool, demo: bool) -> Result<Response, Refusal> {
    let body = if demo { r#"{"status":"ready","demo":true}"# } else { r#"{"status":"ready"}"# };
    if draining { Err(Refusal::new(Code::ShuttingDown)) } else { Ok(response::new(body, JSON)) }
}
