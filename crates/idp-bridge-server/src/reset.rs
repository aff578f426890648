//! Password resets, which the platform orders for strangers: neither the answer nor its time says who exists.
//!
//! The answer comes when the look-up is done. The order of a mail, if there is one, runs on without the caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use idp_bridge_core::{Call, CallScope, Email, Error, ErrorKind, Outcome, Recorder, Result};
use idp_bridge_protocol::Code;
use tokio::sync::Notify;

use crate::calls::{Admitted, body};
use crate::dispatch::{self, Answer, Failure};
use crate::error::Refusal;
use crate::server::Bridge;

/// The log's remark about a mail that was not ordered although the platform was answered with success.
const FAILED_LATER: &str = "the mail was not ordered: it failed after the platform had its answer";

impl Bridge {
    /// Orders a password reset, unless the address has had too many. Returns when the look-up is done and a step of
    /// [`ServerLimits::reset_step`](crate::ServerLimits::reset_step) is over, since look-ups of different length tell, too.
    pub(crate) async fn reset(self: &Arc<Self>, admitted: Admitted, email: Email) -> Result<Bytes, Refusal> {
        let started = admitted.line.started();
        let until = admitted.scope.deadline();
        if let Err(error) = self.resets.count(&self.key, self.clock.now(), &admitted.tenant.id, &email) {
            let refusal = Refusal::from(&Failure { error, outcome: Outcome::NotApplied });
            admitted.line.refused(&refusal, None);
            return Err(refusal);
        }
        let (order, begun) = Order::new(admitted, email);
        let ordering = self.writes.spawn(order.run());
        let answer = tokio::select! {
            biased;
            () = begun.notified() => Ok(body(Answer::Done)),
            ended = ordering => {
                ended.unwrap_or_else(|_| Err(Refusal::new(Code::Internal).with_outcome(Outcome::Unknown)))
            }
        };
        if answer.is_ok() {
            tokio::time::sleep_until(next_step(started, self.limits.reset_step).min(until).into()).await;
        }
        answer
    }
}

/// A reset that runs on without its caller.
struct Order {
    admitted: Admitted,
    email: Email,
    /// The scope of look-up and mail: the tenant's deadline, since no caller waits for the mail.
    scope: CallScope,
}

impl Order {
    /// Prepares an order. The other value is notified when the look-up is done and the write begins.
    fn new(mut admitted: Admitted, email: Email) -> (Self, Arc<Notify>) {
        let scope = admitted.line.scope(admitted.tenant.deadline);
        admitted.line.follow(&scope);
        let begun = Arc::new(Notify::new());
        let notify = Arc::clone(&begun);
        scope.recorder().on_write(move || notify.notify_one());
        (Self { admitted, email, scope }, begun)
    }

    /// Makes the call, and writes its line in the log. The result is that of a call whose write did not begin.
    async fn run(self) -> Result<Bytes, Refusal> {
        let Self { admitted: Admitted { tenant, mut line, scope: caller, .. }, email, scope } = self;
        let call = dispatch::call(&tenant, Call::SendPasswordResetEmail(email), &scope);
        let ended = tokio::select! {
            ended = call => ended,
            () = look_up_is_late(caller.deadline(), scope.recorder()) => Err(late()),
        };
        match ended {
            Ok(answer) => {
                line.succeeded(if let Answer::Concealed(error) = &answer { Some(error) } else { None });
                Ok(body(answer))
            }
            Err(failure) if scope.recorder().has_written() => {
                line.note(Some(FAILED_LATER));
                line.succeeded(Some(&failure.error));
                Ok(body(Answer::Done))
            }
            Err(failure) => {
                let refusal = Refusal::from(&failure);
                line.refused(&refusal, Some(&failure.error));
                Err(refusal)
            }
        }
    }
}

/// Ends at the caller's deadline if no write has begun by then.
async fn look_up_is_late(deadline: Instant, recorder: &Recorder) {
    tokio::time::sleep_until(deadline.into()).await;
    if recorder.has_written() {
        std::future::pending().await
    }
}

fn late() -> Failure {
    let error = Error::ours(ErrorKind::Timeout, "the identity provider did not answer the look-up in time");
    Failure { error, outcome: Outcome::NotApplied }
}

/// The end of the present step of those that begin at `started`.
fn next_step(started: Instant, step: Duration) -> Instant {
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
        assert_eq!(next_step(now, step), now + step);
        let earlier = now.checked_sub(Duration::from_secs(130)).unwrap();
        assert_eq!(next_step(earlier, step), earlier + 3 * step);
        assert_eq!(next_step(now, Duration::ZERO), now, "no step, no wait");
    }
}
