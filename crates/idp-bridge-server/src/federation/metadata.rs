//! What an application needs to know to log users in and to find the customer: public, if the operator publishes it.

use std::sync::Arc;

use http::{HeaderValue, header};
use idp_bridge_core::{FederationMetadata, Result};
use idp_bridge_protocol::Code;
use schemars::JsonSchema;
use serde::Serialize;

use super::federated::Federated;
use super::{Asked, Refused, conclude};
use crate::dispatch::in_time;
use crate::error::Refusal;
use crate::log::Line;
use crate::response::{self, JSON, Response};
use crate::server::Bridge;
use crate::tenant::Tenant;

/// The identity provider's endpoints, and the bridge's own.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FederationAnswer {
    #[serde(flatten)]
    pub(crate) provider: FederationMetadata,
    /// Where an application asks whose token it has; below `server.public_url`.
    pub(crate) userinfo_endpoint: String,
    /// Where an application ends a login, and then sends the browser.
    pub(crate) logout_endpoint: String,
    /// Where the identity provider tells of logouts.
    pub(crate) backchannel_logout_uri: String,
}

/// Answers `GET …/federation`.
pub(super) async fn answer(asked: Asked<'_>) -> Response {
    let Asked { bridge, tenant, mut line, .. } = asked;
    let told = tell(bridge, tenant.as_ref(), &mut line).await;
    conclude(line, told)
}

async fn tell(bridge: &Arc<Bridge>, tenant: Option<&Arc<Tenant>>, line: &mut Line) -> Result<Response, Refused> {
    let federated = Federated::of(bridge, tenant).filter(|federated| federated.rules.publish);
    // An address that applications are sent must be absolute, and no header of a request may decide it.
    let published = federated.zip(bridge.public_url.as_deref());
    let (federated, base) = published.ok_or_else(|| Refusal::new(Code::RouteNotFound))?;
    let scope = federated.begin(line, Tenant::MAX_DEADLINE);
    let provider = in_time(&scope, federated.idp.metadata(&scope)).await?;
    let own = |name: &str| format!("{base}/v1/tenants/{}/{name}", federated.tenant.id);
    let answer = FederationAnswer {
        provider,
        userinfo_endpoint: own("userinfo"),
        logout_endpoint: own("logout"),
        backchannel_logout_uri: own("backchannel-logout"),
    };
    let mut response = response::new(response::to_json(&answer), JSON);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    Ok(response)
}
