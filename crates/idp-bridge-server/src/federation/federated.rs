//! A tenant whose OAuth side is on, and what its tokens are held against.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, Federation, Result, TokenIdentity};
use jiff::Timestamp;

use super::front::TokenKey;
use crate::log::Line;
use crate::revocation::{Revocation, RevokedKey};
use crate::server::Bridge;
use crate::tenant::{FederationRules, Tenant};

/// More than anybody's clock may be off when the end of a token is judged.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// A tenant whose OAuth side is on.
#[derive(Clone, Copy)]
pub(super) struct Federated<'a> {
    pub(super) bridge: &'a Arc<Bridge>,
    pub(super) tenant: &'a Arc<Tenant>,
    pub(super) rules: &'a FederationRules,
    pub(super) idp: &'a dyn Federation,
}

impl<'a> Federated<'a> {
    /// The tenant's OAuth side; none if there is no such tenant, or it is off.
    pub(super) fn of(bridge: &'a Arc<Bridge>, tenant: Option<&'a Arc<Tenant>>) -> Option<Self> {
        let tenant = tenant?;
        Some(Self { bridge, tenant, rules: tenant.federation.as_ref()?, idp: tenant.provider.federation()? })
    }

    /// The scope of a request, and its line begun. `asked` is how long its caller waits at most.
    pub(super) fn begin(&self, line: &mut Line, asked: Duration) -> CallScope {
        line.connector(&self.tenant.connector);
        let scope = line.scope(asked.min(self.tenant.deadline));
        line.follow(&scope);
        scope
    }

    pub(super) fn now(&self) -> Timestamp {
        self.bridge.clock.now()
    }

    /// When every token that is alive now has ended.
    pub(super) fn all_ended(&self) -> Timestamp {
        later(self.now(), self.rules.max_token_age.saturating_add(LEEWAY))
    }

    /// When a token with this end is surely over: one that lives longer than it may is refused anyway, and one that does
    /// not tell its end may live for a day.
    pub(super) fn surely_ended(&self, expires_at: Option<Timestamp>) -> Timestamp {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        match expires_at {
            Some(end) => later(end.max(self.now()), LEEWAY).min(self.all_ended()),
            None => later(self.now(), DAY).max(self.all_ended()),
        }
    }

    /// Admits a token that was not validated lately, and returns its identity as far as it is known.
    ///
    /// Within the tenant's cap any token is admitted. Beyond it a signed token must verify first, which costs no request, and an
    /// opaque one is `RateLimited`.
    pub(super) async fn admit(
        &self,
        scope: &CallScope,
        (key, token): (&TokenKey, &AccessToken),
    ) -> Result<Option<TokenIdentity>> {
        if let Some(known) = self.bridge.front.known(key) {
            return Ok(Some(known.identity.clone()));
        }
        match self.bridge.front.count(&self.tenant.id) {
            Err(_) if token.is_jwt() => self.idp.identify(scope, token).await.map(Some),
            counted => counted.map(|()| None),
        }
    }

    /// Refuses a token that is on the list, by itself or by whom and what login it belongs to.
    pub(super) async fn refuse_listed(&self, key: &TokenKey, identity: Option<&TokenIdentity>) -> Result<()> {
        let mut keys = vec![key.revoked_key()];
        if let Some(identity) = identity {
            keys.extend(identity.session.clone().map(RevokedKey::Session));
            keys.push(RevokedKey::Subject(identity.subject.clone()));
        }
        // A token without `iat` may be older than any logout, so every entry for its session or its user refuses it.
        let issued_at = identity.and_then(|identity| identity.issued_at);
        if !self.is_listed(&keys, issued_at).await? {
            return Ok(());
        }
        if identity.is_some() && issued_at.is_none() {
            let error = Error::invalid_token("the token has no `iat`, and it, its session or its user was logged out");
            let hint = "have the identity provider put `iat` into access tokens, or into their introspection";
            return Err(error.with_hint(hint));
        }
        Err(Error::invalid_token("the token is on the revocation list"))
    }

    /// Whether an entry of any of these keys refuses what was issued then.
    pub(super) async fn is_listed(&self, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        self.bridge.revocations.is_revoked(&self.tenant.id, keys, issued_at).await.map_err(unreachable)
    }

    /// Puts entries on the list.
    pub(super) async fn revoke(&self, entries: &[Revocation]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.bridge.revocations.revoke(&self.tenant.id, entries).await.map_err(unreachable)
    }
}

/// Whatever a store says, nothing is known: the caller may come again.
fn unreachable(error: Error) -> Error {
    Error::ours(ErrorKind::Unavailable, "the revocation list cannot be reached").with_source(error)
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
