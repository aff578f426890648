//! Signed calls: route, method, size and media type are right already; now who signs, for whom, and what for.

use std::sync::Arc;

use http::request::Parts;
use hyper::body::Incoming;
use idp_bridge_core::{Call, CallScope, TenantId};
use idp_bridge_protocol::answer::PingAnswer;
use idp_bridge_protocol::{Code, Envelope, KeyRing, Operation, PROTOCOL_VERSION};

use crate::calls::Admitted;
use crate::error::Refusal;
use crate::idempotency::Key;
use crate::log::{Line, Surface};
use crate::request;
use crate::response::{self, JSON, Response};
use crate::server::Bridge;
use crate::tenant::Tenant;

/// A call that is authentic.
struct Verified {
    tenant: Arc<Tenant>,
    operation: Operation,
    key: Key,
    scope: CallScope,
}

/// Answers a signed call.
pub(crate) async fn answer(
    bridge: &Arc<Bridge>,
    request_id: Arc<str>,
    tenant: TenantId,
    (head, body): (&Parts, Incoming),
) -> Response {
    let mut line = Line::new(request_id, Surface::Webhook, tenant.clone());
    let verified = match verify(bridge, &mut line, &tenant, head, body).await {
        Ok(verified) => verified,
        Err(refusal) => {
            let response = refusal.clone().into_response(line.request_id());
            line.refused(&refusal, None);
            return response;
        }
    };
    let Verified { tenant, operation, key, scope } = verified;
    match operation {
        Operation::Ping => {
            line.call("ping");
            line.succeeded(None);
            pong(&tenant)
        }
        Operation::Users(call) => {
            let key = Some(key).filter(|_| Call::kind(&call).is_write());
            bridge.run(Admitted { tenant, call, key, scope, line }).await
        }
    }
}

async fn verify(
    bridge: &Bridge,
    line: &mut Line,
    id: &TenantId,
    head: &Parts,
    body: Incoming,
) -> Result<Verified, Refusal> {
    if !request::is_json(&head.headers) {
        return Err(Refusal::new(Code::UnsupportedMediaType));
    }
    let tenant = bridge.tenants.get(id);
    let deadline = bridge.deadline_of(id, tenant.as_deref());
    let body = request::read_body(body, request::body_timeout(&head.headers, deadline, &bridge.limits)).await?;
    // An unknown tenant costs the same work and gets the same answer as a wrong signature.
    let nobody = KeyRing::nobody();
    let keys = tenant.as_ref().map_or(&nobody, |tenant| &tenant.keys);
    let (verified, checks) = keys.verify_counted(&head.headers, &body, bridge.clock.now().as_second());
    line.set_signature_checks(checks);
    let webhook_id = verified?;
    let tenant = tenant.ok_or(Refusal::new(Code::InvalidSignature))?;
    line.connector(&tenant.connector);
    let envelope = Envelope::parse(&body)?;
    if envelope.tenant != tenant.id {
        return Err(Refusal::invalid("tenant", "`tenant` is not the path's"));
    }
    let timeout = request::timeout(&head.headers, tenant.deadline)?;
    let key = Key::webhook(&tenant.id, webhook_id);
    let scope = line.scope(timeout);
    Ok(Verified { tenant, operation: envelope.operation, key, scope })
}

fn pong(tenant: &Tenant) -> Response {
    let answer = PingAnswer {
        protocol: PROTOCOL_VERSION,
        connector: tenant.connector.clone(),
        capabilities: tenant.provider.capabilities().clone(),
    };
    response::new(response::to_json(&answer), JSON)
}
