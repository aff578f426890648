//! Password resets. The platform sends them for people who are not logged in, so neither the response nor its time may reveal
//! whether a user exists.
//!
//! The response is sent when the look-up is done. The request for the mail continues without the caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use idp_bridge_core::{Call, CallScope, Email, Error, ErrorKind, Outcome, Recorder, Result};
use idp_bridge_protocol::Code;
use tokio::sync::Notify;

use super::admitted::AdmittedCall;
use super::guarded;
use crate::audit::{AuditEvent, Reservation};
use crate::audited;
use crate::dispatch::{self, Answer};
use crate::error::{Failure, Refusal};
use crate::state::ServerState;

/// The note in the log for a call that failed after its write had begun.
const FAILED_LATER: &str = "the mail may not have been requested: the call failed after its write had begun";

/// Requests a password reset, unless the address has had too many.
///
/// Returns when the look-up is done and a step of [`ServerLimits::reset_step`](crate::ServerLimits::reset_step) has
/// passed, since the time of a look-up depends on its result.
pub(super) async fn send(
    state: &Arc<ServerState>,
    admitted: Box<AdmittedCall>,
    email: Email,
) -> Result<Bytes, Refusal> {
    let started = admitted.log.started();
    let deadline = admitted.scope.deadline();
    let step = admitted.log.timeline().begin("store.count_reset");
    let counted = state.store.count_reset(&admitted.tenant.id, &email, deadline);
    let counted = dispatch::with_deadline(&admitted.scope, counted).await;
    drop(step);
    if let Err(error) = counted {
        return Err(admitted.log.refuse(error));
    }
    let reservation = match audited::reserve(state, &admitted.scope).await {
        Ok(reservation) => reservation,
        Err(error) => return Err(admitted.log.refuse(error)),
    };
    let (order, write_begun) = Order::new(state, admitted, email, reservation);
    let ordering = state.tasks.spawn(order.run());
    let result = tokio::select! {
        biased;
        () = write_begun.notified() => Ok(Answer::Done.to_body()),
        ended = ordering => {
            ended.unwrap_or_else(|_| Err(Refusal::new(Code::Internal).with_outcome(Outcome::Unknown)))
        }
    };
    if result.is_ok() {
        tokio::time::sleep_until(end_of_step(started, state.limits.reset_step).min(deadline).into()).await;
    }
    result
}

/// A reset that continues without its caller.
struct Order {
    state: Arc<ServerState>,
    admitted: Box<AdmittedCall>,
    /// The reserved line of the audit.
    reservation: Option<Reservation>,
    email: Email,
    /// The scope of look-up and mail. It has the tenant's deadline, since no caller waits for the mail.
    scope: CallScope,
}

impl Order {
    /// Creates an order. The second value is notified when the look-up is done and the write begins.
    fn new(
        state: &Arc<ServerState>,
        admitted: Box<AdmittedCall>,
        email: Email,
        reservation: Option<Reservation>,
    ) -> (Self, Arc<Notify>) {
        let scope = admitted.log.call_scope(admitted.tenant.deadline);
        let write_begun = Arc::new(Notify::new());
        let notify = Arc::clone(&write_begun);
        scope.recorder().set_write_hook(move || notify.notify_one());
        (Self { state: Arc::clone(state), admitted, reservation, email, scope }, write_begun)
    }

    /// Makes the call, and writes its log line. The result counts only if no write began.
    async fn run(self) -> Result<Bytes, Refusal> {
        let Self { state, admitted, reservation, email, scope } = self;
        let AdmittedCall { tenant, mut log, scope: caller, .. } = *admitted;
        let call = guarded::dispatch(&tenant, Call::SendPasswordResetEmail(email), &scope);
        let result = tokio::select! {
            result = call => result,
            () = wait_for_late_look_up(caller.deadline(), scope.recorder()) => Err(late_look_up()),
        };
        let call = log.to_audited_call(audited::result_of_write(&result));
        audited::record(&state, reservation, AuditEvent::Write, call, scope.deadline()).await;
        match result {
            Ok(answer) => {
                log.write_success(answer.concealed());
                Ok(answer.to_body())
            }
            Err(failure) if scope.recorder().has_written() => {
                log.set_note(Some(FAILED_LATER));
                log.write_success(Some(&failure.error));
                Ok(Answer::Done.to_body())
            }
            Err(failure) => Err(log.refuse(failure)),
        }
    }
}

/// Returns at the caller's deadline if no write has begun by then, and never otherwise.
async fn wait_for_late_look_up(deadline: Instant, recorder: &Recorder) {
    tokio::time::sleep_until(deadline.into()).await;
    if recorder.has_written() {
        std::future::pending().await
    }
}

fn late_look_up() -> Failure {
    let error = Error::ours(ErrorKind::Timeout, "the identity provider did not answer the look-up in time");
    Failure { error, outcome: Outcome::NotApplied }
}

/// Returns the end of the current step, where steps are counted from `started`.
fn end_of_step(started: Instant, step: Duration) -> Instant {
    let elapsed = started.elapsed().as_millis();
    let steps = elapsed.checked_div(step.as_millis()).and_then(|whole| u32::try_from(whole + 1).ok());
    steps.map_or(started, |steps| started + step * steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_from_the_request() {
        let step = Duration::from_secs(60);
        let now = Instant::now();
        assert_eq!(end_of_step(now, step), now + step);
        let earlier = now.checked_sub(Duration::from_secs(130)).unwrap();
        assert_eq!(end_of_step(earlier, step), earlier + 3 * step);
        assert_eq!(end_of_step(now, Duration::ZERO), now, "no step, no wait");
    }
}
