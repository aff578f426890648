//! A tenant with federation, and the checks of its tokens.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallScope, Error, ErrorKind, Federation, Result, TokenIdentity, UserId};
use jiff::Timestamp;

use crate::audit::{AuditedCall, AuditedResult};
use crate::audited;
use crate::log::{RequestLog, Surface};
use crate::revocation::{self, Revocation, RevokedKey};
use crate::state::ServerState;
use crate::tenant::{FederationRules, Tenant};
use crate::token_gate::{PresentedToken, TokenKey};

/// A tenant with federation.
#[derive(Clone, Copy)]
pub(super) struct Federated<'a> {
    pub(super) state: &'a Arc<ServerState>,
    pub(super) tenant: &'a Arc<Tenant>,
    pub(super) rules: &'a FederationRules,
    pub(super) idp: &'a dyn Federation,
}

impl<'a> Federated<'a> {
    /// Returns the federation of a tenant. Returns `None` if the tenant does not exist or its federation is off.
    pub(super) fn new(state: &'a Arc<ServerState>, tenant: Option<&'a Arc<Tenant>>) -> Option<Self> {
        let tenant = tenant?;
        Some(Self { state, tenant, rules: tenant.federation.as_ref()?, idp: tenant.provider.federation()? })
    }

    /// Creates the scope of a request, and adds it to the log. The timeout is limited by the tenant's deadline.
    pub(super) fn start_call(&self, log: &mut RequestLog, timeout: Duration) -> CallScope {
        log.set_tenant(self.tenant.metrics());
        log.call_scope(timeout.min(self.tenant.deadline))
    }

    /// Returns the end of a login for the audit.
    pub(super) fn audited_call(
        &self,
        scope: &CallScope,
        surface: Surface,
        user: Option<&UserId>,
        result: &Result<()>,
    ) -> AuditedCall {
        let result = match result {
            Ok(()) => AuditedResult::default(),
            Err(error) => audited::result_of_error(error, scope.recorder().outcome()),
        };
        AuditedCall {
            request: scope.request_id().to_owned(),
            tenant: self.tenant.id.to_string(),
            connector: self.tenant.connector,
            surface: surface.as_str(),
            call: surface.as_str(),
            user: user.map(|user| self.state.key.user_hash(&self.tenant.id, user)),
            result,
            upstream_status: scope.recorder().status(),
            ..AuditedCall::default()
        }
    }

    /// Returns the current time.
    pub(super) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    /// Returns the time at which each token that is valid now has expired.
    pub(super) fn all_tokens_expired(&self) -> Timestamp {
        revocation::all_tokens_expired(self.now(), self.rules.max_token_age)
    }

    /// Returns the time at which a token with this expiry is no longer accepted.
    pub(super) fn token_expired(&self, expires_at: Option<Timestamp>) -> Timestamp {
        revocation::token_expired(self.now(), expires_at, self.rules.max_token_age)
    }

    /// Limits the number of unvalidated tokens, and returns the token's identity as far as known.
    ///
    /// A cached token does not count. Beyond the tenant's limit a signed token must have a valid signature, which costs no
    /// request, and an opaque token is `RateLimited`.
    pub(super) async fn check_rate(
        &self,
        scope: &CallScope,
        presented: &PresentedToken,
    ) -> Result<Option<TokenIdentity>> {
        let gate = &self.state.gate;
        if let Some(cached) = gate.cached(&presented.key) {
            return Ok(Some(cached.identity.clone()));
        }
        match gate.check_rate(self.tenant) {
            Err(_) if presented.token.is_jwt() => self.idp.identify(scope, &presented.token).await.map(Some),
            result => result.map(|()| None),
        }
    }

    /// Fails if the token, its session or its user is on the revocation list.
    pub(super) async fn check_not_revoked(
        &self,
        scope: &CallScope,
        key: &TokenKey,
        identity: Option<&TokenIdentity>,
    ) -> Result<()> {
        let mut keys = vec![key.revoked_key()];
        if let Some(identity) = identity {
            keys.extend(identity.session.clone().map(RevokedKey::Session));
            keys.push(RevokedKey::Subject(identity.subject.clone()));
        }
        // A token without `iat` may be older than any logout, so each entry for its session or user rejects it.
        let issued_at = identity.and_then(|identity| identity.issued_at);
        if !self.is_revoked(scope, &keys, issued_at).await? {
            return Ok(());
        }
        if identity.is_some() && issued_at.is_none() {
            let error = Error::invalid_token("the token has no `iat`, and it, its session or its user was logged out");
            let hint = "have the identity provider put `iat` into access tokens, or into their introspection";
            return Err(error.with_hint(hint));
        }
        Err(Error::invalid_token("the token is on the revocation list"))
    }

    /// Returns whether an entry of any of these keys rejects a token with this issue time.
    pub(super) async fn is_revoked(
        &self,
        scope: &CallScope,
        keys: &[RevokedKey],
        issued_at: Option<Timestamp>,
    ) -> Result<bool> {
        let _step = scope.recorder().timeline().begin("store.check_revoked");
        let checking = self.state.store.is_revoked(&self.tenant.id, keys, issued_at, scope.deadline());
        checking.await.map_err(unavailable)
    }

    /// Adds entries to the revocation list.
    pub(super) async fn revoke(&self, scope: &CallScope, entries: &[Revocation]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let _step = scope.recorder().timeline().begin("store.revoke");
        self.state.store.revoke(&self.tenant.id, entries, scope.deadline()).await.map_err(unavailable)
    }
}

/// Turns any error of a store into a temporary one. The state of the token is unknown, so the caller may retry.
fn unavailable(error: Error) -> Error {
    Error::ours(ErrorKind::Unavailable, "the revocation list cannot be reached").with_source(error)
}
