//! Records writes and logouts in the audit.

use std::pin::pin;
use std::time::{Duration, Instant};

use idp_bridge_core::{CallScope, Error, Outcome, Result};

use crate::audit::{AuditEntry, AuditEvent, AuditedCall, AuditedResult, Reservation};
use crate::dispatch::{Answer, with_deadline};
use crate::error::{Failure, Refusal, code};
use crate::state::ServerState;

/// The minimum time for which a caller waits for the line of its call.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// Reserves a line for a call that is about to run. Fails with `Unavailable` if the audit is required and cannot be written.
pub(crate) async fn reserve(state: &ServerState, scope: &CallScope) -> Result<Option<Reservation>> {
    let Some(audit) = &state.audit else { return Ok(None) };
    scope.recorder().timeline().wait("audit", pin!(with_deadline(scope, audit.reserve()))).await.map(Some)
}

/// Records a call, and returns when its line is written.
pub(crate) async fn record(
    state: &ServerState,
    reservation: Option<Reservation>,
    event: AuditEvent,
    call: AuditedCall,
    deadline: Instant,
) {
    if let Some(reservation) = reservation {
        let entry = AuditEntry::new(state.clock.now(), event, call);
        reservation.record(entry, deadline.max(Instant::now() + MIN_WAIT)).await;
    }
}

/// Returns the result of a write.
pub(crate) fn result_of_write(result: &std::result::Result<Answer, Failure>) -> AuditedResult {
    match result {
        Ok(answer) => match answer.concealed() {
            Some(error) => {
                AuditedResult { code: code(error).as_str(), status: 200, outcome: Outcome::NotApplied.as_str() }
            }
            None => AuditedResult::default(),
        },
        Err(failure) => result_of_error(&failure.error, failure.outcome),
    }
}

/// Returns the result of a failed call.
pub(crate) fn result_of_error(error: &Error, outcome: Outcome) -> AuditedResult {
    let refusal = Refusal::from_error(error, outcome);
    let (code, status) = (refusal.code().as_str(), refusal.status().as_u16());
    AuditedResult { code, status, outcome: outcome.as_str() }
}
