//! A request to an OAuth route.

use std::sync::Arc;

use http::request::Parts;

use crate::form::FormBody;
use crate::log::RequestLog;
use crate::state::ServerState;
use crate::tenant::Tenant;

/// A request to an OAuth route. Its tenant may not exist.
pub(super) struct FederationRequest<'a> {
    pub(super) state: &'a Arc<ServerState>,
    pub(super) tenant: Option<Arc<Tenant>>,
    pub(super) head: &'a Parts,
    pub(super) body: FormBody,
    pub(super) log: RequestLog,
}
