//! Logout notices of identity providers (OpenID Connect Back-Channel Logout 1.0).
//!
//! A logout token revokes tokens issued until then, so a repetition changes nothing.

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use idp_bridge_core::{AccessToken, CallScope, Ended, ErrorKind, Result};
use idp_bridge_protocol::Code;

use super::context::FederationRequest;
use super::federated::Federated;
use crate::audit::AuditEvent;
use crate::audited;
use crate::dispatch::with_deadline;
use crate::error::{Refusal, Rejection};
use crate::form::{self, Fields, FormBody};
use crate::log::{RequestLog, Surface};
use crate::response::{self, Response};
use crate::revocation::{Revocation, RevokedKey};
use crate::state::ServerState;
use crate::tenant::Tenant;

/// Handles `POST …/backchannel-logout`.
pub(super) async fn handle(request: FederationRequest<'_>) -> Response {
    let FederationRequest { state, tenant, head, body, mut log } = request;
    let result = match read_logout_token(head, body).await {
        Ok(token) => log_out(state, tenant.as_ref(), &token, &mut log).await,
        Err(refusal) => Err(refusal.into()),
    };
    log.conclude(result)
}

async fn read_logout_token(head: &Parts, body: FormBody) -> Result<AccessToken, Refusal> {
    form::refuse_tokens_in_query(head)?;
    // Other fields must be ignored (section 2.5 of the specification).
    let [token] = Fields::read_body(head, body).await?.take(["logout_token"]);
    token.and_then(|token| AccessToken::new(token).ok()).ok_or_else(invalid_logout_token)
}

async fn log_out(
    state: &Arc<ServerState>,
    tenant: Option<&Arc<Tenant>>,
    token: &AccessToken,
    log: &mut RequestLog,
) -> Result<Response, Rejection> {
    let federated = Federated::new(state, tenant).ok_or_else(invalid_logout_token)?;
    let scope = federated.start_call(log, Tenant::MAX_DEADLINE);
    match with_deadline(&scope, revoke(&federated, &scope, token, log)).await {
        Ok(()) => Ok(response::empty(StatusCode::OK)),
        // A tenant without a back channel gets the response of an unknown tenant.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidToken | ErrorKind::Unsupported) => {
            Err(Rejection { refusal: invalid_logout_token(), cause: Some(error.into()) })
        }
        Err(error) => Err(error.into()),
    }
}

/// Validates a logout token, and revokes the tokens of its session or user.
async fn revoke(federated: &Federated<'_>, scope: &CallScope, token: &AccessToken, log: &mut RequestLog) -> Result<()> {
    let notice = federated.idp.check_logout_token(scope, token).await?;
    let (user, key) = match notice.ended {
        Ended::Session(session) => (None, RevokedKey::Session(session)),
        Ended::User(user) => {
            log.set_user(federated.state.key.user_hash(&federated.tenant.id, &user));
            (Some(user.clone()), RevokedKey::Subject(user))
        }
    };
    let until = federated.all_tokens_expired();
    let reservation = audited::reserve(federated.state, scope).await?;
    let result = federated.revoke(scope, &[Revocation { key, not_before: Some(notice.issued_at), until }]).await;
    let call = federated.audited_call(scope, Surface::BackchannelLogout, user.as_ref(), &result);
    audited::record(federated.state, reservation, AuditEvent::Logout, call, scope.deadline()).await;
    result
}

fn invalid_logout_token() -> Refusal {
    Refusal::new(Code::InvalidRequest).with_detail("`logout_token` is missing or invalid")
}
