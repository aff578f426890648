//! Runs admitted calls: within the limits of their tenant, a write with an idempotency key at most once, and each call with one
//! log line.

mod admitted;
mod guarded;
mod read;
mod reset;

use std::sync::Arc;

use bytes::Bytes;
use idp_bridge_core::{Call, CallScope, Outcome, UserId};
use idp_bridge_protocol::{Code, Operation};

use crate::dispatch;
use crate::error::{Failure, Refusal, Rejection};
use crate::guard::Seat;
use crate::idempotency::{self, Begun, Failed};
use crate::response::{self, JSON, Response};
use crate::revocation::Revocation;
use crate::state::ServerState;
use crate::tenant::Tenant;

pub(crate) use admitted::AdmittedCall;

/// The body of a successful response.
struct Success {
    body: Bytes,
    /// Whether the body is that of an earlier call with an equal key.
    is_replay: bool,
}

impl Success {
    fn new(body: Bytes) -> Self {
        Self { body, is_replay: false }
    }
}

/// Runs a call unless the tenant has disabled it. A read stops when its caller disconnects; a started write continues.
pub(crate) async fn run(state: &Arc<ServerState>, mut admitted: AdmittedCall) -> Response {
    let request_id = Arc::clone(admitted.log.request_id());
    let kind = admitted.call.kind();
    admitted.log.set_call(kind.as_str());
    admitted.log.set_scope(&admitted.scope);
    let result = match check(state, &admitted) {
        Err(rejection) => return admitted.log.reject(rejection),
        Ok(seat) if kind.is_write() => {
            let task = state.tasks.spawn(run_once(Arc::clone(state), admitted, seat));
            task.await.unwrap_or_else(|_| Err(Refusal::new(Code::Internal).with_outcome(Outcome::Unknown)))
        }
        Ok(_seat) => read::get(state, admitted).await.map(Success::new),
    };
    match result {
        Ok(Success { body, is_replay }) => {
            let mut response = response::new(body, JSON);
            if is_replay {
                response::mark_replayed(&mut response);
            }
            response
        }
        Err(refusal) => refusal.into_response(&request_id),
    }
}

/// Fails if the tenant has disabled the call, or has too many calls.
fn check(state: &ServerState, admitted: &AdmittedCall) -> Result<Seat, Rejection> {
    if admitted.tenant.switched_off.contains(&admitted.call.kind()) {
        let refusal = Refusal::new(Code::Forbidden).with_detail("this operation is switched off for the tenant");
        return Err(refusal.into());
    }
    Ok(admitted.tenant.guard().admit(&state.guard)?)
}

/// Executes a write, or returns the result of an earlier call with an equal key.
async fn run_once(state: Arc<ServerState>, mut admitted: AdmittedCall, _seat: Seat) -> Result<Success, Refusal> {
    let Some(key) = admitted.key.take() else {
        return execute(&state, admitted).await.map(Success::new);
    };
    let fingerprint = Operation::Users(admitted.call.clone()).fingerprint();
    match idempotency::begin(&*state.idempotency, key, fingerprint, admitted.scope.deadline()).await {
        Begun::Run(claim) => {
            let result = execute(&state, admitted).await;
            claim.finish(result.clone().map_err(Failed)).await;
            result.map(Success::new)
        }
        Begun::Replay(body) => {
            admitted.log.write_replay();
            Ok(Success { body, is_replay: true })
        }
        Begun::Refused(refusal) => {
            admitted.log.write_refusal(&refusal, None);
            Err(refusal)
        }
    }
}

/// Dispatches a write to the provider, and writes the log line.
async fn execute(state: &Arc<ServerState>, admitted: AdmittedCall) -> Result<Bytes, Refusal> {
    if let Call::SendPasswordResetEmail(email) = &admitted.call {
        let email = email.clone();
        return reset::send(state, admitted, email).await;
    }
    let AdmittedCall { tenant, call, scope, mut log, .. } = admitted;
    if let Call::Delete(id) | Call::MarkEmailVerified { id, .. } | Call::SendVerificationEmail(id) = &call {
        log.set_user(state.key.user_hash(&tenant.id, id));
    }
    let deleted = if let Call::Delete(id) = &call { Some(id.clone()) } else { None };
    let mut result = guarded::dispatch(&tenant, call, &scope).await;
    if let (true, Some(id)) = (result.is_ok(), deleted)
        && let Err(failure) = revoke_deleted_user(state, &tenant, &scope, id).await
    {
        result = Err(failure);
    }
    match result {
        Ok(answer) => {
            log.write_success(answer.concealed());
            Ok(answer.to_body())
        }
        Err(failure) => {
            let refusal = Refusal::from(&failure);
            log.write_refusal(&refusal, Some(&failure.error));
            Err(refusal)
        }
    }
}

/// Revokes the tokens of a deleted user. If this fails, the platform has to repeat the delete.
async fn revoke_deleted_user(
    state: &ServerState,
    tenant: &Tenant,
    scope: &CallScope,
    id: UserId,
) -> Result<(), Failure> {
    let Some(federation) = &tenant.federation else { return Ok(()) };
    let entry = Revocation::of_deleted_user(id, state.clock.now(), federation.max_token_age);
    let revoked = dispatch::with_deadline(scope, state.revocations.revoke(&tenant.id, &[entry])).await;
    revoked.map_err(|error| Failure { error, outcome: Outcome::Unknown })
}
