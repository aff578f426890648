//! Dispatches a call when its tenant has a place for it.

use std::pin::pin;

use idp_bridge_core::{Call, CallScope, Outcome};

use crate::dispatch::{self, Answer, Failure};
use crate::tenant::Tenant;
use crate::user_cache::WrittenUser;

/// Waits for a place, and makes the call within the deadline of its scope.
pub(super) async fn dispatch(tenant: &Tenant, call: Call, scope: &CallScope) -> Result<Answer, Failure> {
    let not_applied = |error| Failure { error, outcome: Outcome::NotApplied };
    let timeline = scope.recorder().timeline();
    let place = pin!(tenant.guard().enter(scope.deadline()));
    let _running = timeline.wait("queue", place).await.map_err(not_applied)?;
    let _step = timeline.begin("dispatch");
    let written = WrittenUser::from_call(&call);
    let result = dispatch::call(tenant, call, scope).await;
    if let Some(written) = written {
        tenant.users().complete_write(&written);
    }
    result
}
