//! Userinfo: the user and the customer of an access token.
//!
//! The identity provider validates the token, unless it did so recently. Each request is checked against the revocation
//! list.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use idp_bridge_core::{
    AccessToken, CallScope, CustomerId, Email, Error, ErrorKind, Outcome, Result, TenantId, TokenIdentity, UserId,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::context::FederationRequest;
use super::federated::Federated;
use super::{customer, token};
use crate::dispatch::with_deadline;
use crate::error::{Refusal, Rejection, SharedFailure};
use crate::form::{self, Fields, FormBody};
use crate::log::RequestLog;
use crate::request;
use crate::response::{self, JSON, Response};
use crate::revocation;
use crate::state::ServerState;
use crate::tenant::{FederationRules, Tenant};
use crate::token_gate::{CachedUserinfo, Cost, PresentedToken};

/// The user of a token, with the names of OpenID Connect, and the customer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UserInfo<'a> {
    /// The identity provider's id of the user: the `id` of the User.
    pub(crate) sub: &'a UserId,
    /// The current email address, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Email>,
    /// Whether the user has proven to own the address, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_verified: Option<bool>,
    /// The tenant's identifier for the customer this user belongs to. Absent if the user belongs to several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<CustomerId>,
    /// The platform's id of the tenant.
    pub(crate) tenant: &'a TenantId,
}

/// The token and the timeout of a request.
struct UserinfoRequest {
    token: AccessToken,
    timeout: Duration,
}

/// Handles `GET` and `POST …/userinfo`.
pub(super) async fn handle(request: FederationRequest<'_>) -> Response {
    let FederationRequest { state, tenant, head, body, mut log } = request;
    let result = match parse(head, body).await {
        Ok(request) => respond(state, tenant.as_ref(), request, &mut log).await,
        Err(refusal) => Err(refusal.into()),
    };
    log.conclude(result)
}

async fn parse(head: &Parts, body: FormBody) -> Result<UserinfoRequest, Refusal> {
    form::refuse_tokens_in_query(head)?;
    let header = token::from_header(&head.headers)?;
    let [field] = Fields::read_body(head, body).await?.take_all(["access_token"])?;
    let token = token::single(header, field)?;
    Ok(UserinfoRequest { token, timeout: request::timeout(&head.headers, Tenant::MAX_DEADLINE)? })
}

async fn respond(
    state: &Arc<ServerState>,
    tenant: Option<&Arc<Tenant>>,
    request: UserinfoRequest,
    log: &mut RequestLog,
) -> Result<Response, Rejection> {
    let federated = Federated::new(state, tenant).ok_or_else(Refusal::bad_token)?;
    // Other callers may wait for this validation, so it has the tenant's deadline. This caller may stop waiting earlier.
    let scope = federated.start_call(log, Tenant::MAX_DEADLINE);
    let _seat = federated.tenant.guard().admit(&state.guard)?;
    let deadline = log.started() + request.timeout.min(federated.tenant.deadline);
    let presented = PresentedToken::new(&federated.tenant.id, request.token);
    let userinfo = tokio::time::timeout_at(deadline.into(), get(&federated, &scope, presented)).await;
    let userinfo = userinfo.unwrap_or_else(|_| Err(SharedFailure::timed_out(Outcome::NotApplied)))?;
    log.set_user(state.key.user_hash(&federated.tenant.id, &userinfo.identity.subject));
    log.set_note(userinfo.note);
    Ok(response::new(userinfo.body.clone(), JSON))
}

/// Returns the response for a token, from the cache or the identity provider. Checks the revocation list in any case.
async fn get(
    federated: &Federated<'_>,
    scope: &CallScope,
    presented: PresentedToken,
) -> Result<Arc<CachedUserinfo>, SharedFailure> {
    let gate = &federated.state.gate;
    let key = presented.key.clone();
    let is_fresh = |cached: &Arc<CachedUserinfo>| cached.fresh_until.is_some_and(|until| federated.now() < until);
    let mut result = match gate.cached(&key).filter(is_fresh) {
        Some(cached) => Ok(cached),
        None => validate_shared(federated, scope, presented).await,
    };
    // A logout may have completed since the validation.
    if let Ok(userinfo) = &result
        && let Err(error) = federated.check_not_revoked(scope, &key, Some(&userinfo.identity)).await
    {
        result = Err(error.into());
    }
    if result.as_ref().is_err_and(|failure| failure.error.kind() == ErrorKind::InvalidToken) {
        gate.remove(&key);
    }
    result
}

/// Validates a token once for all callers that present it at the same time.
async fn validate_shared(
    federated: &Federated<'_>,
    scope: &CallScope,
    presented: PresentedToken,
) -> Result<Arc<CachedUserinfo>, SharedFailure> {
    let identity = with_deadline(scope, federated.check_rate(scope, &presented)).await?;
    let result = federated.state.gate.validations.join(presented.key.clone(), || {
        let (state, tenant) = (Arc::clone(federated.state), Arc::clone(federated.tenant));
        let scope = scope.clone();
        async move {
            let federated = Federated::new(&state, Some(&tenant)).ok_or_else(SharedFailure::panicked)?;
            let userinfo = with_deadline(&scope, validate(&federated, &scope, &presented, identity)).await?;
            Ok(state.gate.insert(presented.key, userinfo))
        }
    });
    result.await.unwrap_or_else(|| Err(SharedFailure::panicked()))
}

/// Validates the token with the identity provider, and builds the response.
///
/// Checks the revocation list first, so that a revoked token costs no request, and again when the user is known.
async fn validate(
    federated: &Federated<'_>,
    scope: &CallScope,
    presented: &PresentedToken,
    identity: Option<TokenIdentity>,
) -> Result<CachedUserinfo> {
    let PresentedToken { token, key } = presented;
    federated.check_not_revoked(scope, key, None).await?;
    let (buckets, tenant) = (&federated.state.gate.buckets, &federated.tenant.id);
    buckets.take_for_token(Cost::Userinfo, key)?;
    if let Some(identity) = &identity {
        buckets.take_for_user(Cost::Userinfo, tenant, &identity.subject)?;
    }
    let _running = federated.tenant.guard().enter(scope.deadline()).await?;
    let user = {
        let _step = scope.recorder().timeline().begin("validate");
        federated.idp.validate(scope, token).await?
    };
    if identity.is_none() {
        // This request counted against the tenant's limit, so an empty bucket does not matter yet.
        let _ = buckets.take_for_user(Cost::Userinfo, tenant, &user.identity.subject);
    }
    federated.check_not_revoked(scope, key, Some(&user.identity)).await?;
    check_lifetime(federated, &user.identity)?;
    let resolved = customer::resolve(federated, scope, &user).await?;
    let identity = user.identity;
    let body = response::to_json(&UserInfo {
        sub: &identity.subject,
        email: resolved.email,
        email_verified: resolved.email_verified,
        customer: resolved.customer,
        tenant,
    });
    let fresh_until = fresh_until(federated, &identity);
    Ok(CachedUserinfo { identity, body, note: resolved.note, fresh_until })
}

/// Rejects tokens that live longer than `max_token_age`, since entries of the revocation list are removed after that time.
fn check_lifetime(federated: &Federated<'_>, identity: &TokenIdentity) -> Result<()> {
    let issued_at = identity.issued_at.unwrap_or_else(|| federated.now());
    let lifetime = identity.expires_at.map(|end| Duration::try_from(end.duration_since(issued_at)).unwrap_or_default());
    if lifetime.is_some_and(|lifetime| lifetime > federated.rules.max_token_age) {
        let error = Error::invalid_token("the token lives longer than `max_token_age` allows");
        return Err(error.with_hint("raise `max_token_age`, or shorten the lifetime of access tokens"));
    }
    Ok(())
}

/// Returns the time until which the response may be reused, or `None` if each request is validated.
fn fresh_until(federated: &Federated<'_>, identity: &TokenIdentity) -> Option<Timestamp> {
    let capabilities = federated.tenant.provider.capabilities().federation();
    let default = || Duration::from_secs(capabilities.map_or(0, |federation| federation.cache_seconds).into());
    let cache = federated.rules.cache.unwrap_or_else(default).min(FederationRules::MAX_CACHE);
    let until = revocation::add_saturating(federated.now(), cache);
    (!cache.is_zero()).then(|| identity.expires_at.map_or(until, |end| end.min(until)))
}
