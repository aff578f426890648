//! The end of a login, asked for by an application: first the list, then the identity provider.
//!
//! The token is refused here from the moment that it is listed, whatever the identity provider does; a 204 is only said
//! when everything has been done. That is listed, too, so that a repetition costs the identity provider nothing.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use http::StatusCode;
use http::request::Parts;
use idp_bridge_core::{
    AccessToken, CallScope, Error, ErrorKind, LoggedOut, Logout, Outcome, Result, Secret, TenantId, TokenIdentity,
    UserId,
};
use idp_bridge_protocol::Code;
use jiff::Timestamp;

use super::buckets::Cost;
use super::federated::Federated;
use super::form::{Fields, FormBody};
use super::front::TokenKey;
use super::{Asked, Refused, SharedFailure, bearer, conclude, form};
use crate::dispatch::in_time;
use crate::error::Refusal;
use crate::log::Line;
use crate::request;
use crate::response::{self, Response};
use crate::revocation::{Revocation, RevokedKey};
use crate::server::Bridge;
use crate::tenant::Tenant;

/// What a caller shows of a login.
struct Shown {
    token: AccessToken,
    refresh_token: Option<Secret>,
    id_token_hint: Option<Secret>,
    /// How long it waits at most.
    timeout: Duration,
}

/// What makes logouts equal: the tenant, and a digest of all that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LogoutKey {
    tenant: TenantId,
    sha256: [u8; 32],
}

/// How a logout ended, and for which user as far as that is known.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    user: Option<UserId>,
    result: Result<(), SharedFailure>,
}

impl Ended {
    fn failed(failure: SharedFailure) -> Self {
        Self { user: None, result: Err(failure) }
    }
}

/// Answers `POST …/logout`. A logout that has begun goes on when its caller leaves.
pub(super) async fn answer(asked: Asked<'_>) -> Response {
    let Asked { bridge, tenant, head, body, mut line } = asked;
    line.call("log_out");
    let request_id = Arc::clone(line.request_id());
    let shown = match read(head, body).await {
        Ok(shown) => shown,
        Err(refusal) => return conclude(line, Err(refusal.into())),
    };
    let bridge = Arc::clone(bridge);
    let task = bridge.writes.clone().spawn(async move {
        let ended = end(&bridge, tenant.as_ref(), shown, &mut line).await;
        conclude(line, ended)
    });
    let broken = |_| Refusal::new(Code::Internal).with_outcome(Outcome::Unknown).into_response(&request_id);
    task.await.unwrap_or_else(broken)
}

async fn read(head: &Parts, body: FormBody) -> Result<Shown, Refusal> {
    form::refuse_tokens_in_query(head)?;
    let token = bearer::of_header(&head.headers)?;
    let fields = Fields::of_body(head, body).await?;
    let [refresh_token, id_token_hint] = fields.take_all(["refresh_token", "id_token_hint"])?;
    let token = bearer::one_of(token, None)?;
    Ok(Shown {
        token,
        refresh_token: refresh_token.map(|value| form::token("refresh_token", value)).transpose()?,
        id_token_hint: id_token_hint.map(|value| form::token("id_token_hint", value)).transpose()?,
        timeout: request::timeout(&head.headers, Tenant::MAX_DEADLINE)?,
    })
}

async fn end(
    bridge: &Arc<Bridge>,
    tenant: Option<&Arc<Tenant>>,
    shown: Shown,
    line: &mut Line,
) -> Result<Response, Refused> {
    let federated = Federated::of(bridge, tenant).ok_or_else(Refusal::bad_token)?;
    // Others may wait for the same logout, so that it has the tenant's deadline, and this caller's wait another one.
    let scope = federated.begin(line, Tenant::MAX_DEADLINE);
    let caller = line.scope(shown.timeout.min(federated.tenant.deadline));
    let key = TokenKey::new(&federated.tenant.id, &shown.token);
    in_time(&caller, federated.admit(&scope, (&key, &shown.token))).await?;
    let Ended { user, result } = federated.join((&scope, &caller), shown, key).await;
    if let Some(user) = user {
        line.user(bridge.key.user_hash(&federated.tenant.id, &user));
    }
    result?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

impl Federated<'_> {
    /// Ends a login together with all callers who show the same meanwhile.
    async fn join(&self, (scope, caller): (&CallScope, &CallScope), shown: Shown, token: TokenKey) -> Ended {
        let logout = shown.key(&self.tenant.id);
        let mut leads = false;
        let ended = self.bridge.front.logouts.join(logout.clone(), || {
            leads = true;
            let (bridge, tenant, scope) = (Arc::clone(self.bridge), Arc::clone(self.tenant), scope.clone());
            async move {
                let Some(federated) = Federated::of(&bridge, Some(&tenant)) else {
                    return Ended::failed(SharedFailure::broken());
                };
                let mut user = None;
                let ended = in_time(&scope, federated.end(&scope, &shown, (&token, &logout), &mut user)).await;
                let failure = |error: Error| SharedFailure { error: error.into(), outcome: scope.recorder().outcome() };
                Ended { user, result: ended.map_err(failure) }
            }
        });
        match tokio::time::timeout_at(caller.deadline().into(), ended).await {
            Ok(ended) => ended.unwrap_or_else(|| Ended::failed(SharedFailure::broken())),
            // Nothing is known of what another caller's request does.
            Err(_) if !leads => Ended::failed(SharedFailure::late(Outcome::Unknown)),
            Err(_) => Ended::failed(SharedFailure::late(scope.recorder().outcome())),
        }
    }

    async fn end(
        &self,
        scope: &CallScope,
        shown: &Shown,
        (token, logout): (&TokenKey, &LogoutKey),
        user: &mut Option<UserId>,
    ) -> Result<()> {
        if self.is_done(logout).await? {
            return Ok(());
        }
        let buckets = &self.bridge.front.buckets;
        buckets.take_of_token(Cost::Logout, token)?;
        match self.idp.identify(scope, &shown.token).await {
            Ok(identity) => {
                *user = Some(identity.subject.clone());
                buckets.take_of_user(Cost::Logout, &self.tenant.id, &identity.subject)?;
                self.end_login(scope, shown, (token, logout, &identity)).await
            }
            // Nothing is listed: whoever likes could fill the list with texts that nobody knows.
            Err(error) if self.may_have_been_good(&error, shown) => {
                self.idp.log_out(scope, &shown.logout(None)).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the list says that this very logout has been completed, so that nothing is left to do.
    async fn is_done(&self, logout: &LogoutKey) -> Result<bool> {
        self.is_listed(&[RevokedKey::Logout(logout.sha256)], None).await
    }

    /// Whether it may be a token that proves nothing by itself and has ended, so that its refresh token is all that is left.
    fn may_have_been_good(&self, error: &Error, shown: &Shown) -> bool {
        let promised = self.tenant.provider.capabilities().federation();
        error.kind() == ErrorKind::InvalidToken
            && shown.refresh_token.is_some()
            && !shown.token.is_jwt()
            && promised.is_some_and(|promised| promised.opaque_tokens)
    }

    async fn end_login(
        &self,
        scope: &CallScope,
        shown: &Shown,
        (key, logout, identity): (&TokenKey, &LogoutKey, &TokenIdentity),
    ) -> Result<()> {
        // From here on the token may be refused, so whatever fails has changed something.
        scope.recorder().write_begins();
        let token =
            Revocation { key: key.revoked_key(), not_before: None, until: self.surely_ended(identity.expires_at) };
        let session = self.end_of_session(identity, self.now());
        self.revoke(&[Some(token), session].into_iter().flatten().collect::<Vec<_>>()).await?;
        let mut entries: Vec<_> = match self.idp.log_out(scope, &shown.logout(Some(identity))).await? {
            LoggedOut::RefreshToken => Vec::new(),
            // Its clock may be ahead of ours, and what it issued meanwhile has ended, too.
            LoggedOut::Session => self.end_of_session(identity, self.now()).into_iter().collect(),
            LoggedOut::User { ended_at } => {
                let user = RevokedKey::Subject(identity.subject.clone());
                let user = Revocation { key: user, not_before: Some(ended_at), until: self.all_ended() };
                [Some(user), self.end_of_session(identity, ended_at)].into_iter().flatten().collect()
            }
        };
        let done = RevokedKey::Logout(logout.sha256);
        entries.push(Revocation { key: done, not_before: None, until: self.surely_ended(identity.expires_at) });
        self.revoke(&entries).await?;
        self.bridge.front.forget(key);
        Ok(())
    }

    /// The entry that refuses what was issued in this login up to then, and the token itself in any case.
    fn end_of_session(&self, identity: &TokenIdentity, ended_at: Timestamp) -> Option<Revocation> {
        let not_before = identity.issued_at.map_or(ended_at, |issued_at| issued_at.max(ended_at));
        let session = RevokedKey::Session(identity.session.clone()?);
        Some(Revocation { key: session, not_before: Some(not_before), until: self.all_ended() })
    }
}

impl Shown {
    fn key(&self, tenant: &TenantId) -> LogoutKey {
        let rest = [&self.refresh_token, &self.id_token_hint];
        let rest = rest.map(|secret| secret.as_ref().map_or("", |secret| secret.expose()));
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [self.token.expose()].into_iter().chain(rest) {
            // With its length before it, no part can be taken for the end of another one.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(context.finish().as_ref());
        LogoutKey { tenant: tenant.clone(), sha256 }
    }

    fn logout<'a>(&'a self, identity: Option<&'a TokenIdentity>) -> Logout<'a> {
        Logout {
            token: &self.token,
            identity,
            refresh_token: self.refresh_token.as_ref(),
            id_token_hint: self.id_token_hint.as_ref(),
        }
    }
}
