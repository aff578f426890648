//! Reads: equal ones in flight at the same time share one request, and later ones may be answered from the tenant's cache.

use std::sync::Arc;

use bytes::Bytes;
use idp_bridge_core::{Call, CallScope, ErrorKind, Outcome};
use tokio::time::Instant;

use super::admitted::AdmittedCall;
use super::guarded;
use crate::dispatch::Answer;
use crate::error::{Refusal, SharedFailure};
use crate::reads::{ReadAnswer, ReadKey, SharedRead};
use crate::state::ServerState;
use crate::user_cache::CachedUser;

/// Gets a user, and writes the log line.
pub(super) async fn get(state: &Arc<ServerState>, admitted: Box<AdmittedCall>) -> Result<Bytes, Refusal> {
    let AdmittedCall { tenant, call, scope, mut log, .. } = *admitted;
    let is_by_id = matches!(call, Call::GetById(_));
    if let Call::GetById(id) = &call {
        log.set_user(state.key.user_hash(&tenant.id, id));
    }
    let cached = tenant.users().get(&call, tenant.user_cache);
    let read = match cached {
        Some(CachedUser { id, body, .. }) => Ok(ReadAnswer { user: Some(id), body }),
        None => join(state, &ReadKey::new(Arc::clone(&tenant), call), &scope).await,
    };
    match read {
        Ok(answer) => {
            if let Some(user) = answer.user.as_ref().filter(|_| !is_by_id) {
                log.set_user(state.key.user_hash(&tenant.id, user));
            }
            log.write_success(None);
            Ok(answer.body)
        }
        Err(failure) => Err(log.refuse(failure)),
    }
}

/// Waits for the running read with this key, or starts one.
///
/// A read ends at the deadline of the caller who started it. A caller with time left starts another one.
async fn join(state: &ServerState, key: &ReadKey, scope: &CallScope) -> SharedRead {
    loop {
        let mut is_own = false;
        let read = state.reads.join(key.clone(), || {
            is_own = true;
            run(key.clone(), scope.clone())
        });
        // The deadline of an own read is that of this caller.
        let result = if is_own { Ok(read.await) } else { tokio::time::timeout_at(scope.deadline().into(), read).await };
        match result {
            Ok(Some(Err(failure))) if !is_own && failure.error.kind() == ErrorKind::Timeout => {}
            Ok(result) => return result.unwrap_or_else(|| Err(SharedFailure::panicked())),
            Err(_) => return Err(SharedFailure::timed_out(Outcome::NotApplied)),
        }
    }
}

async fn run(key: ReadKey, scope: CallScope) -> SharedRead {
    let ReadKey { tenant, call, writes } = key;
    let to_cache = (!tenant.user_cache.is_zero()).then(|| (call.clone(), Instant::now()));
    let answer = guarded::dispatch(&tenant, call, &scope).await;
    let answer = answer.map_err(SharedFailure::from)?;
    let body = answer.to_body();
    let Answer::User(answer) = answer else { return Ok(ReadAnswer { user: None, body }) };
    let user = answer.user;
    if let Some((call, read_at)) = to_cache {
        let (id, email, body) = (user.id.clone(), user.email.clone(), body.clone());
        tenant.users().insert(call, CachedUser { id, email, body, read_at }, writes, tenant.user_cache);
    }
    Ok(ReadAnswer { user: Some(user.id), body })
}
