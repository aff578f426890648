//! Logouts by applications: first in the revocation list, then at the identity provider.
//!
//! The bridge rejects the token as soon as it is in the list. A logout responds with 204 only when all steps are done. It is
//! then recorded in the list, so that a repetition causes no request to the identity provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::request::Parts;
use idp_bridge_core::{
    AccessToken, CallScope, Error, ErrorKind, LoggedOut, Logout, Outcome, Result, Secret, TokenIdentity, UserId,
};
use idp_bridge_protocol::Code;
use jiff::Timestamp;

use super::context::FederationRequest;
use super::federated::Federated;
use super::token;
use crate::audit::AuditEvent;
use crate::audited;
use crate::dispatch::with_deadline;
use crate::error::{Refusal, Rejection, SharedFailure};
use crate::form::{self, Fields, FormBody};
use crate::log::{RequestLog, Surface};
use crate::request;
use crate::response::{self, Response};
use crate::revocation::{Revocation, RevokedKey};
use crate::state::ServerState;
use crate::tenant::Tenant;
use crate::token_gate::{Cost, LogoutKey, LogoutOutcome, PresentedToken, TokenKey};

/// The tokens and the timeout of a request.
struct LogoutRequest {
    token: AccessToken,
    refresh_token: Option<Secret>,
    id_token_hint: Option<Secret>,
    timeout: Duration,
}

/// A logout that may have several callers.
struct SharedLogout {
    presented: PresentedToken,
    refresh_token: Option<Secret>,
    id_token_hint: Option<Secret>,
    key: LogoutKey,
    /// Has the tenant's deadline, which may be later than that of a caller.
    scope: CallScope,
}

/// Handles `POST …/logout`. A started logout continues when its caller disconnects.
pub(super) async fn handle(request: FederationRequest<'_>) -> Response {
    let FederationRequest { state, tenant, head, body, mut log } = request;
    log.set_call("log_out");
    let request_id = Arc::clone(log.request_id());
    let request = match parse(head, body).await {
        Ok(request) => request,
        Err(refusal) => return log.reject(refusal),
    };
    let state = Arc::clone(state);
    let task = state.tasks.clone().spawn(async move {
        let result = log_out(&state, tenant.as_ref(), request, &mut log).await;
        log.conclude(result)
    });
    let panicked = |_| Refusal::new(Code::Internal).with_outcome(Outcome::Unknown).into_response(&request_id);
    task.await.unwrap_or_else(panicked)
}

async fn parse(head: &Parts, body: FormBody) -> Result<LogoutRequest, Refusal> {
    form::refuse_tokens_in_query(head)?;
    let token = token::from_header(&head.headers)?;
    let fields = Fields::read_body(head, body).await?;
    let [refresh_token, id_token_hint] = fields.take_all(["refresh_token", "id_token_hint"])?;
    let token = token::single(token, None)?;
    Ok(LogoutRequest {
        token,
        refresh_token: refresh_token.map(|value| form::parse_token("refresh_token", value)).transpose()?,
        id_token_hint: id_token_hint.map(|value| form::parse_token("id_token_hint", value)).transpose()?,
        timeout: request::timeout(&head.headers, Tenant::MAX_DEADLINE)?,
    })
}

async fn log_out(
    state: &Arc<ServerState>,
    tenant: Option<&Arc<Tenant>>,
    request: LogoutRequest,
    log: &mut RequestLog,
) -> Result<Response, Rejection> {
    let federated = Federated::new(state, tenant).ok_or_else(Refusal::bad_token)?;
    // Other callers may wait for this logout, so it has the tenant's deadline. This caller may stop waiting earlier.
    let scope = federated.start_call(log, Tenant::MAX_DEADLINE);
    let _seat = federated.tenant.guard().admit(&state.guard)?;
    let caller = log.call_scope(request.timeout.min(federated.tenant.deadline));
    let logout = SharedLogout::new(&federated, request, scope);
    with_deadline(&caller, federated.check_rate(&logout.scope, &logout.presented)).await?;
    let LogoutOutcome { user, result } = join(&federated, logout, caller.deadline()).await;
    if let Some(user) = user {
        log.set_user(state.key.user_hash(&federated.tenant.id, &user));
    }
    result?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

/// Runs a logout once for all callers that present equal tokens at the same time.
async fn join(federated: &Federated<'_>, logout: SharedLogout, deadline: Instant) -> LogoutOutcome {
    let scope = logout.scope.clone();
    let mut is_first = false;
    let outcome = federated.state.gate.logouts.join(logout.key.clone(), || {
        is_first = true;
        let (state, tenant) = (Arc::clone(federated.state), Arc::clone(federated.tenant));
        async move {
            let Some(federated) = Federated::new(&state, Some(&tenant)) else {
                return LogoutOutcome::failed(SharedFailure::panicked());
            };
            let scope = &logout.scope;
            let mut user = None;
            let result = with_deadline(scope, run(&federated, &logout, &mut user)).await;
            let failure = |error: Error| SharedFailure { error: error.into(), outcome: scope.recorder().outcome() };
            LogoutOutcome { user, result: result.map_err(failure) }
        }
    });
    match tokio::time::timeout_at(deadline.into(), outcome).await {
        Ok(outcome) => outcome.unwrap_or_else(|| LogoutOutcome::failed(SharedFailure::panicked())),
        // The recorder of another caller's request is not known here.
        Err(_) if !is_first => LogoutOutcome::failed(SharedFailure::timed_out(Outcome::Unknown)),
        Err(_) => LogoutOutcome::failed(SharedFailure::timed_out(scope.recorder().outcome())),
    }
}

/// Identifies the token and ends its login, unless this logout was completed before. Sets the user as soon as known.
async fn run(federated: &Federated<'_>, logout: &SharedLogout, user: &mut Option<UserId>) -> Result<()> {
    if federated.is_revoked(&logout.scope, &[RevokedKey::Logout(logout.key.sha256)], None).await? {
        return Ok(());
    }
    let buckets = &federated.state.gate.buckets;
    buckets.take_for_token(Cost::Logout, &logout.presented.key)?;
    let _running = federated.tenant.guard().enter(logout.scope.deadline()).await?;
    match federated.idp.identify(&logout.scope, &logout.presented.token).await {
        Ok(identity) => {
            *user = Some(identity.subject.clone());
            buckets.take_for_user(Cost::Logout, &federated.tenant.id, &identity.subject)?;
            audit(federated, &logout.scope, Some(&identity.subject), end_login(federated, logout, &identity)).await
        }
        // The token is not added to the list, since any text could fill it.
        Err(error) if may_be_expired(federated, logout, &error) => {
            let log_out = async { federated.idp.log_out(&logout.scope, &logout.to_logout(None)).await.map(drop) };
            audit(federated, &logout.scope, None, log_out).await
        }
        Err(error) => Err(error),
    }
}

/// Ends a login, and records it in the audit.
async fn audit(
    federated: &Federated<'_>,
    scope: &CallScope,
    user: Option<&UserId>,
    end: impl Future<Output = Result<()>>,
) -> Result<()> {
    let reservation = audited::reserve(federated.state, scope).await?;
    let result = end.await;
    let call = federated.audited_call(scope, Surface::Logout, user, &result);
    audited::record(federated.state, reservation, AuditEvent::Logout, call, scope.deadline()).await;
    result
}

/// Returns whether the token may be an expired opaque one, so that only its refresh token can identify the login.
fn may_be_expired(federated: &Federated<'_>, logout: &SharedLogout, error: &Error) -> bool {
    let capabilities = federated.tenant.provider.capabilities().federation();
    error.kind() == ErrorKind::InvalidToken
        && logout.refresh_token.is_some()
        && !logout.presented.token.is_jwt()
        && capabilities.is_some_and(|federation| federation.opaque_tokens)
}

/// Revokes the token and its session, logs out at the identity provider, and revokes what that ended.
async fn end_login(federated: &Federated<'_>, logout: &SharedLogout, identity: &TokenIdentity) -> Result<()> {
    // The token may be rejected from here on, so a failure has changed something.
    logout.scope.recorder().begin_write();
    let key: &TokenKey = &logout.presented.key;
    let revocation = |key| Revocation { key, not_before: None, until: federated.token_expired(identity.expires_at) };
    let session = revoke_session(federated, identity, federated.now());
    let entries: Vec<_> = [Some(revocation(key.revoked_key())), session].into_iter().flatten().collect();
    federated.revoke(&logout.scope, &entries).await?;
    let mut entries: Vec<_> = match federated.idp.log_out(&logout.scope, &logout.to_logout(Some(identity))).await? {
        LoggedOut::RefreshToken => Vec::new(),
        // The clock of the identity provider may be ahead. Tokens that it issued meanwhile have ended, too.
        LoggedOut::Session => revoke_session(federated, identity, federated.now()).into_iter().collect(),
        LoggedOut::User { ended_at } => {
            let key = RevokedKey::Subject(identity.subject.clone());
            let user = Revocation { key, not_before: Some(ended_at), until: federated.all_tokens_expired() };
            [Some(user), revoke_session(federated, identity, ended_at)].into_iter().flatten().collect()
        }
    };
    entries.push(revocation(RevokedKey::Logout(logout.key.sha256)));
    federated.revoke(&logout.scope, &entries).await?;
    federated.state.gate.remove(key);
    Ok(())
}

/// Returns the entry that rejects the tokens of a session issued until then, and in any case the token itself.
fn revoke_session(federated: &Federated<'_>, identity: &TokenIdentity, ended_at: Timestamp) -> Option<Revocation> {
    let not_before = identity.issued_at.map_or(ended_at, |issued_at| issued_at.max(ended_at));
    let key = RevokedKey::Session(identity.session.clone()?);
    Some(Revocation { key, not_before: Some(not_before), until: federated.all_tokens_expired() })
}

impl SharedLogout {
    fn new(federated: &Federated<'_>, request: LogoutRequest, scope: CallScope) -> Self {
        let LogoutRequest { token, refresh_token, id_token_hint, .. } = request;
        let tenant = &federated.tenant.id;
        let [refresh, hint] =
            [&refresh_token, &id_token_hint].map(|secret| secret.as_ref().map_or("", |secret| secret.expose()));
        let key = LogoutKey::new(tenant, &[token.expose(), refresh, hint]);
        Self { presented: PresentedToken::new(tenant, token), refresh_token, id_token_hint, key, scope }
    }

    fn to_logout<'a>(&'a self, identity: Option<&'a TokenIdentity>) -> Logout<'a> {
        Logout {
            token: &self.presented.token,
            identity,
            refresh_token: self.refresh_token.as_ref(),
            id_token_hint: self.id_token_hint.as_ref(),
        }
    }
}
