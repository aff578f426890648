//! Signed calls.

use std::pin::pin;
use std::sync::Arc;

use http::request::Parts;
use hyper::body::Incoming;
use idp_bridge_core::CallScope;
use idp_bridge_protocol::answer::PingAnswer;
use idp_bridge_protocol::{Code, Envelope, Operation, PROTOCOL_VERSION, SignatureError};

use crate::error::Refusal;
use crate::idempotency::Key;
use crate::log::{RequestLog, Surface};
use crate::pipeline::{self, AdmittedCall};
use crate::request::{self, TenantRequest};
use crate::response::{self, JSON, Response};
use crate::state::ServerState;
use crate::tenant::Tenant;

/// A call with a valid signature.
struct Verified {
    tenant: Arc<Tenant>,
    operation: Operation,
    /// The idempotency key of a write.
    key: Option<Key>,
    scope: CallScope,
}

/// Handles a signed call.
pub(crate) async fn handle(state: &Arc<ServerState>, request: TenantRequest<'_>) -> Response {
    let TenantRequest { origin, tenant, head, body } = request;
    let mut log = RequestLog::new(&state.telemetry, origin, Surface::Webhook, tenant);
    let Verified { tenant, operation, key, scope } = match verify(state, head, body, &mut log).await {
        Ok(verified) => verified,
        Err(refusal) => return log.reject(refusal),
    };
    match operation {
        Operation::Ping => {
            log.set_call("ping");
            log.write_success(None);
            pong(&tenant)
        }
        Operation::Users(call) => pipeline::run(state, Box::new(AdmittedCall { tenant, call, key, scope, log })).await,
    }
}

async fn verify(state: &ServerState, head: &Parts, body: Incoming, log: &mut RequestLog) -> Result<Verified, Refusal> {
    let headers = &head.headers;
    if !request::is_json(headers) {
        return Err(Refusal::new(Code::UnsupportedMediaType));
    }
    let found = state.find_tenant(log.tenant());
    let body_timeout = state.body_timeout(headers, &found);
    let timeline = log.timeline();
    let body = timeline.wait("read_body", pin!(request::read_body(body, body_timeout))).await?;
    let _step = timeline.begin("verify");
    let (verified, checks) = found.keys().verify_counted(headers, &body, state.clock.now().as_second());
    log.set_signature_checks(checks);
    // A request to an unknown tenant takes as long as one with an invalid signature, and gets an equal response.
    let tenant = found.into_known().ok_or(SignatureError::Invalid)?;
    let verified = verified?;
    log.set_signature(verified.id, verified.key_id);
    log.set_tenant(tenant.metrics());
    // Only after the signature, since responses must not reveal which tenants exist.
    tenant.check_client(&head.extensions)?;
    let envelope = Envelope::parse(&body)?;
    if envelope.tenant != tenant.id {
        return Err(Refusal::invalid("tenant", "`tenant` is not the tenant of the path"));
    }
    let timeout = request::timeout(headers, tenant.deadline)?;
    let is_write = matches!(&envelope.operation, Operation::Users(call) if call.kind().is_write());
    let key = is_write.then(|| Key::for_webhook(&tenant.id, verified.id));
    let scope = log.call_scope(timeout);
    Ok(Verified { tenant, operation: envelope.operation, key, scope })
}

fn pong(tenant: &Tenant) -> Response {
    let answer = PingAnswer {
        protocol: PROTOCOL_VERSION,
        connector: tenant.connector.to_owned(),
        capabilities: tenant.provider.capabilities().clone(),
    };
    response::new(response::to_json(&answer), JSON)
}
