//! From an admitted call to its answer: switched-off calls, idempotency, dispatch, and the line in the log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{Call, CallScope, Outcome, UserId};
use idp_bridge_protocol::answer::{DeleteAnswer, DoneAnswer, UserAnswer};
use idp_bridge_protocol::{Code, Operation};
use jiff::Timestamp;

use crate::dispatch::{self, Answer, Failure};
use crate::error::Refusal;
use crate::idempotency::{Begin, Claim, Failed, Key};
use crate::log::Line;
use crate::response::{self, JSON, Response};
use crate::revocation::{Revocation, RevokedKey};
use crate::server::Bridge;
use crate::tenant::{FederationRules, Tenant};

/// How far an identity provider's clock may be ahead of ours.
const SKEW: Duration = Duration::from_mins(5);

/// A call whose caller is known and allowed to ask for it.
pub(crate) struct Admitted {
    /// Whom it is for.
    pub(crate) tenant: Arc<Tenant>,
    /// What it asks for.
    pub(crate) call: Call,
    /// What a write is known by, if its caller named it.
    pub(crate) key: Option<Key>,
    /// Its deadline and its recorder.
    pub(crate) scope: CallScope,
    /// Its line in the log.
    pub(crate) line: Line,
}

/// The body of a 200, and whether it was given before.
type Given = Result<(Bytes, bool), Refusal>;

impl Bridge {
    /// Runs a call. A read ends with its caller; a write that has begun does not.
    pub(crate) async fn run(self: &Arc<Self>, mut admitted: Admitted) -> Response {
        let request_id = Arc::clone(admitted.line.request_id());
        let kind = admitted.call.kind();
        admitted.line.call(kind.as_str());
        admitted.line.follow(&admitted.scope);
        let given = if admitted.tenant.switched_off.contains(&kind) {
            let refusal = Refusal::new(Code::Forbidden).with_detail("this operation is switched off for the tenant");
            admitted.line.refused(&refusal, None);
            Err(refusal)
        } else if kind.is_write() {
            let task = self.writes.spawn(Arc::clone(self).write(admitted));
            task.await.unwrap_or_else(|_| Err(Refusal::new(Code::Internal).with_outcome(Outcome::Unknown)))
        } else {
            self.dispatch(admitted).await.map(|body| (body, false))
        };
        match given {
            Ok((body, replayed)) => {
                let mut response = response::new(body, JSON);
                if replayed {
                    response::mark_replayed(&mut response);
                }
                response
            }
            Err(refusal) => refusal.into_response(&request_id),
        }
    }

    async fn write(self: Arc<Self>, mut admitted: Admitted) -> Given {
        let Some(key) = admitted.key.take() else {
            return self.run_write(admitted).await.map(|body| (body, false));
        };
        match self.begin(key, &admitted).await {
            Ok(claim) => {
                let ending = self.run_write(admitted).await;
                claim.finish(ending.clone().map_err(Failed)).await;
                ending.map(|body| (body, false))
            }
            Err(Ok(body)) => {
                admitted.line.replayed();
                Ok((body, true))
            }
            Err(Err(refusal)) => {
                admitted.line.refused(&refusal, None);
                Err(refusal)
            }
        }
    }

    async fn run_write(self: &Arc<Self>, admitted: Admitted) -> Result<Bytes, Refusal> {
        if let Call::SendPasswordResetEmail(email) = &admitted.call {
            let email = email.clone();
            return self.reset(admitted, email).await;
        }
        self.dispatch(admitted).await
    }

    /// The right to run a write, or the answer that it gets instead.
    async fn begin(&self, key: Key, admitted: &Admitted) -> Result<Box<dyn Claim>, Result<Bytes, Refusal>> {
        let fingerprint = Operation::Users(admitted.call.clone()).fingerprint();
        match self.store.begin(key, fingerprint, admitted.scope.deadline()).await {
            Ok(Begin::Run(claim)) => Ok(claim),
            Ok(Begin::Ended(ending)) => Err(ending.map_err(|Failed(refusal)| refusal)),
            Ok(Begin::Reused) => Err(Err(Refusal::new(Code::WebhookIdReused))),
            // The twin may yet succeed.
            Ok(Begin::StillRunning) => Err(Err(Refusal::new(Code::RequestInProgress).with_outcome(Outcome::Unknown))),
            Err(error) => Err(Err(Refusal::from(&Failure { error, outcome: Outcome::NotApplied }))),
        }
    }

    /// Asks the provider, and writes the line.
    async fn dispatch(&self, admitted: Admitted) -> Result<Bytes, Refusal> {
        let Admitted { tenant, call, scope, mut line, .. } = admitted;
        if let Call::GetById(id)
        | Call::Delete(id)
        | Call::MarkEmailVerified { id, .. }
        | Call::SendVerificationEmail(id) = &call
        {
            line.user(self.key.user_hash(&tenant.id, id));
        }
        match self.ask(&tenant, call, &scope).await {
            Ok(answer) => {
                if let Answer::User(user) = &answer {
                    line.user(self.key.user_hash(&tenant.id, &user.id));
                }
                let concealed = if let Answer::Concealed(error) = &answer { Some(error) } else { None };
                line.succeeded(concealed);
                Ok(body(answer))
            }
            Err(failure) => {
                let refusal = Refusal::from(&failure);
                line.refused(&refusal, Some(&failure.error));
                Err(refusal)
            }
        }
    }

    /// Asks the provider. Of a user that is deleted now, userinfo takes no token any more; where that cannot be written
    /// down, the platform has to delete again.
    async fn ask(&self, tenant: &Tenant, call: Call, scope: &CallScope) -> Result<Answer, Failure> {
        let deleted = if let Call::Delete(id) = &call { Some(id.clone()) } else { None };
        let answer = dispatch::call(tenant, call, scope).await?;
        if let (Some(id), Some(federation)) = (deleted, &tenant.federation) {
            let entry = all_tokens_of(id, self.clock.now(), federation);
            let listed = dispatch::in_time(scope, self.revocations.revoke(&tenant.id, &[entry])).await;
            listed.map_err(|error| Failure { error, outcome: Outcome::Unknown })?;
        }
        Ok(answer)
    }
}

/// Refuses all tokens that a user has who is deleted now, and none of whoever registers under the same id later.
fn all_tokens_of(id: UserId, now: Timestamp, federation: &FederationRules) -> Revocation {
    let latest = now.checked_add(SKEW).unwrap_or(Timestamp::MAX);
    let until = latest.checked_add(federation.max_token_age).unwrap_or(Timestamp::MAX);
    Revocation { key: RevokedKey::Subject(id), not_before: Some(latest), until }
}

/// The body of a success.
pub(crate) fn body(answer: Answer) -> Bytes {
    match answer {
        Answer::User(user) => response::to_json(&UserAnswer { user: *user }),
        Answer::Deleted(deleted) => response::to_json(&DeleteAnswer::from(deleted)),
        Answer::Done | Answer::Concealed(_) => response::to_json(&DoneAnswer {}),
    }
}
