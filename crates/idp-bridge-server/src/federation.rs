//! The OAuth routes of a tenant: userinfo, logout and the federation document.
//!
//! A tenant that does not exist and a tenant without federation get equal responses.

mod backchannel;
mod context;
mod cors;
mod customer;
mod end_session;
mod federated;
mod logout;
mod metadata;
mod resource;
mod token;
mod userinfo;

use std::sync::Arc;

use http::Method;
use idp_bridge_protocol::Code;

use self::context::FederationRequest;
use crate::error::Refusal;
use crate::form::FormBody;
use crate::log::RequestLog;
use crate::request::TenantRequest;
use crate::response::Response;
use crate::state::ServerState;

pub(crate) use self::metadata::FederationAnswer;
pub(crate) use self::resource::Resource;
pub(crate) use self::userinfo::UserInfo;

/// Handles a request to an OAuth route.
pub(crate) async fn handle(state: &Arc<ServerState>, request: TenantRequest<'_>, resource: Resource) -> Response {
    let TenantRequest { origin: request_origin, tenant: tenant_id, head, body } = request;
    let found = state.find_tenant(&tenant_id);
    let timeout = state.body_timeout(&head.headers, &found);
    let tenant = found.into_known();
    let origin = cors::allowed_origin(tenant.as_deref(), &head.headers);
    if head.method == Method::OPTIONS {
        return cors::preflight(resource, origin);
    }
    let mut response = if state.is_draining() {
        Refusal::new(Code::ShuttingDown).into_response(&request_origin.id)
    } else {
        let body = FormBody { body, timeout };
        let log = RequestLog::new(&state.telemetry, request_origin, resource.surface(), tenant_id);
        let request = FederationRequest { state, tenant, head, body, log };
        match resource {
            Resource::Userinfo => userinfo::handle(request).await,
            Resource::Logout if head.method == Method::GET => end_session::handle(request).await,
            Resource::Logout => logout::handle(request).await,
            Resource::BackchannelLogout => backchannel::handle(request).await,
            Resource::Metadata => metadata::handle(request).await,
        }
    };
    if resource.cors_methods().split(", ").any(|method| method == head.method.as_str()) {
        cors::set_headers(&mut response, origin);
    }
    response
}
