//! `/doctor`: the last diagnoses of the tenants.

use std::sync::Arc;

use idp_bridge_protocol::Code;
use serde::Serialize;

use super::query::parse_tenant;
use crate::doctor::Diagnosis;
use crate::error::Refusal;
use crate::response::{self, JSON, Response};
use crate::state::ServerState;

/// The maximum number of diagnoses in a response.
const MAX_DIAGNOSES: usize = 100;

/// The body of `GET /doctor`.
#[derive(Serialize)]
struct Diagnoses<'a> {
    diagnoses: Vec<&'a Diagnosis>,
}

/// Responds to `GET /doctor` with the last diagnosis of each tenant, or of that in the query. Failed ones come first.
pub(super) fn list(state: &ServerState, query: Option<&str>) -> Result<Response, Refusal> {
    let tenant = parse_tenant(query)?;
    let Some(diagnoses) = &state.diagnoses else {
        return Err(Refusal::new(Code::RouteNotFound).with_detail("`server.doctor_interval` is not set"));
    };
    let all: Vec<Arc<Diagnosis>> = diagnoses.list();
    let shown = all.iter().map(|diagnosis| &**diagnosis);
    let shown = shown.filter(|diagnosis| tenant.is_none_or(|tenant| diagnosis.tenant.as_str() == tenant));
    let body = Diagnoses { diagnoses: shown.take(MAX_DIAGNOSES).collect() };
    Ok(response::new(response::to_json(&body), JSON))
}
