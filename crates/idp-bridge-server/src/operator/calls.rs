//! `/calls`: the last calls, and one of them by its request id.

use idp_bridge_protocol::Code;
use serde::Serialize;

use super::query::parse_tenant;
use crate::call_record::CallRecord;
use crate::error::Refusal;
use crate::response::{self, JSON, Response};
use crate::state::ServerState;

/// The maximum number of calls in a response.
const MAX_CALLS: usize = 100;

/// The body of `GET /calls`.
#[derive(Serialize)]
struct Calls<'a> {
    calls: Vec<&'a CallRecord>,
}

/// Responds to `GET /calls` with the last calls, the newest first, of all tenants or of that in the query.
pub(super) fn list(state: &ServerState, query: Option<&str>) -> Result<Response, Refusal> {
    let tenant = parse_tenant(query)?;
    let calls = state.telemetry.recent.latest(tenant, MAX_CALLS);
    let body = Calls { calls: calls.iter().map(|call| &**call).collect() };
    Ok(response::new(response::to_json(&body), JSON))
}

/// Responds to `GET /calls/{request_id}`.
pub(super) fn show(state: &ServerState, request_id: &str) -> Result<Response, Refusal> {
    let call = state.telemetry.recent.find(request_id).ok_or(Refusal::new(Code::RouteNotFound))?;
    Ok(response::new(response::to_json(&*call), JSON))
}
