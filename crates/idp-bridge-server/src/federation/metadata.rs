//! The federation document: the endpoints that an application needs. It is public if the operator publishes it.

use std::sync::Arc;

use http::{HeaderValue, header};
use idp_bridge_core::{FederationMetadata, Result};
use idp_bridge_protocol::Code;
use schemars::JsonSchema;
use serde::Serialize;

use super::context::FederationRequest;
use super::federated::Federated;
use crate::dispatch::with_deadline;
use crate::error::{Refusal, Rejection};
use crate::log::RequestLog;
use crate::response::{self, JSON, Response};
use crate::state::ServerState;
use crate::tenant::Tenant;

/// The endpoints of the identity provider and of the bridge.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FederationAnswer {
    #[serde(flatten)]
    pub(crate) provider: FederationMetadata,
    /// The address of userinfo, below `server.public_url`.
    pub(crate) userinfo_endpoint: String,
    /// The address at which an application ends a login, and to which it then sends the browser.
    pub(crate) logout_endpoint: String,
    /// The address for the logout notices of the identity provider.
    pub(crate) backchannel_logout_uri: String,
}

/// Handles `GET …/federation`.
pub(super) async fn handle(request: FederationRequest<'_>) -> Response {
    let FederationRequest { state, tenant, mut log, .. } = request;
    let result = respond(state, tenant.as_ref(), &mut log).await;
    log.conclude(result)
}

async fn respond(
    state: &Arc<ServerState>,
    tenant: Option<&Arc<Tenant>>,
    log: &mut RequestLog,
) -> Result<Response, Rejection> {
    let federated = Federated::new(state, tenant).filter(|federated| federated.rules.publish);
    // The addresses must be absolute, and must not depend on a header of the request.
    let published = federated.zip(state.public_url.as_deref());
    let (federated, base) = published.ok_or_else(|| Refusal::new(Code::RouteNotFound))?;
    let scope = federated.start_call(log, Tenant::MAX_DEADLINE);
    let provider = with_deadline(&scope, federated.idp.metadata(&scope)).await?;
    let endpoint = |name: &str| format!("{base}/v1/tenants/{}/{name}", federated.tenant.id);
    let answer = FederationAnswer {
        provider,
        userinfo_endpoint: endpoint("userinfo"),
        logout_endpoint: endpoint("logout"),
        backchannel_logout_uri: endpoint("backchannel-logout"),
    };
    let mut response = response::new(response::to_json(&answer), JSON);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    Ok(response)
}
