//! Runs admitted calls: within the limits of their tenant, a write with an idempotency key at most once, and each call with one
//! log line.

mod admitted;
mod guarded;
mod read;
mod reset;

use std::sync::Arc;

use bytes::Bytes;
use idp_bridge_core::{Call, CallScope, Error, Outcome, UserId};
use idp_bridge_protocol::{Code, Operation};

use crate::audit::AuditEvent;
use crate::audited;
use crate::dispatch;
use crate::error::{Failure, Refusal, Rejection};
use crate::guard::Seat;
use crate::idempotency::{Begun, Failed};
use crate::response::{self, JSON, Response};
use crate::state::ServerState;
use crate::tenant::Tenant;

pub(crate) use admitted::AdmittedCall;

/// The body of a successful response.
pub(crate) struct Success {
    body: Bytes,
    /// Whether the body is that of an earlier call with an equal key.
    is_replay: bool,
}

impl Success {
    fn new(body: Bytes) -> Self {
        Self { body, is_replay: false }
    }
}

/// Runs a call, and responds with its result.
pub(crate) async fn run(state: &Arc<ServerState>, admitted: Box<AdmittedCall>) -> Response {
    let request_id = Arc::clone(admitted.log.request_id());
    match attempt(state, admitted).await {
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

/// Runs a call unless the tenant has disabled it. A read stops when its caller disconnects; a started write continues.
pub(crate) async fn attempt(state: &Arc<ServerState>, mut admitted: Box<AdmittedCall>) -> Result<Success, Refusal> {
    let kind = admitted.call.kind();
    admitted.log.set_call(kind.as_str());
    match check(state, &admitted) {
        Err(rejection) => Err(admitted.log.refuse(rejection)),
        Ok(seat) if kind.is_write() => {
            let task = state.tasks.spawn(run_once(Arc::clone(state), admitted, seat));
            task.await.unwrap_or_else(|_| Err(Refusal::new(Code::Internal).with_outcome(Outcome::Unknown)))
        }
        Ok(_seat) => read::get(state, admitted).await.map(Success::new),
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
async fn run_once(state: Arc<ServerState>, mut admitted: Box<AdmittedCall>, _seat: Seat) -> Result<Success, Refusal> {
    let Some(key) = admitted.key.take() else {
        return execute(&state, admitted).await.map(Success::new);
    };
    let fingerprint = Operation::Users(admitted.call.clone()).fingerprint();
    let begun = {
        let _step = admitted.log.timeline().begin("store.begin_write");
        state.store.begin_write(key, fingerprint, admitted.scope.deadline()).await
    };
    match Begun::from_store(begun) {
        Begun::Run(claim) => {
            let result = execute(&state, admitted).await;
            state.store.finish_write(claim, result.clone().map_err(Failed)).await;
            result.map(Success::new)
        }
        Begun::Replay(body) => {
            admitted.log.write_replay();
            Ok(Success { body, is_replay: true })
        }
        Begun::Refused(rejection) => Err(admitted.log.refuse(rejection)),
    }
}

/// Revokes the tokens of a user who is deleted now.
async fn revoke_deleted_user(state: &ServerState, tenant: &Tenant, scope: &CallScope, id: UserId) -> Result<(), Error> {
    let _step = tenant.federation.as_ref().map(|_| scope.recorder().timeline().begin("store.revoke"));
    dispatch::with_deadline(scope, state.store.revoke_deleted_user(tenant, id, scope.deadline())).await
}

/// Dispatches a write to the provider, and writes the log line.
async fn execute(state: &Arc<ServerState>, admitted: Box<AdmittedCall>) -> Result<Bytes, Refusal> {
    if let Call::SendPasswordResetEmail(email) = &admitted.call {
        let email = email.clone();
        return reset::send(state, admitted, email).await;
    }
    let AdmittedCall { tenant, call, scope, mut log, .. } = *admitted;
    if let Call::Delete(id) | Call::MarkEmailVerified { id, .. } | Call::SendVerificationEmail(id) = &call {
        log.set_user(state.key.user_hash(&tenant.id, id));
    }
    let deleted = if let Call::Delete(id) = &call { Some(id.clone()) } else { None };
    let reservation = match audited::reserve(state, &scope).await {
        Ok(reservation) => reservation,
        Err(error) => return Err(log.refuse(error)),
    };
    let mut result = guarded::dispatch(&tenant, call, &scope).await;
    if let (true, Some(id)) = (result.is_ok(), deleted)
        && let Err(error) = revoke_deleted_user(state, &tenant, &scope, id).await
    {
        // The platform has to repeat the delete.
        result = Err(Failure { error, outcome: Outcome::Unknown });
    }
    let call = log.to_audited_call(audited::result_of_write(&result));
    audited::record(state, reservation, AuditEvent::Write, call, scope.deadline()).await;
    match result {
        Ok(answer) => {
            log.write_success(answer.concealed());
            Ok(answer.to_body())
        }
        Err(failure) => Err(log.refuse(failure)),
    }
}
