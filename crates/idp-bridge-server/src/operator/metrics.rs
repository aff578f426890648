//! `/metrics`: the metrics in the text format of OpenMetrics.

use std::sync::Arc;

use http::HeaderValue;
use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::exposition;
use crate::response::{self, Response};
use crate::state::ServerState;

/// Responds to `GET /metrics`.
pub(super) fn show(state: &Arc<ServerState>) -> Result<Response, Refusal> {
    let text = exposition::render(state).map_err(|_| Refusal::new(Code::Internal))?;
    Ok(response::new(text, HeaderValue::from_static(exposition::MEDIA_TYPE)))
}
