//! Userinfo: whose token it is, and which customer that user belongs to.
//!
//! The identity provider is asked whether the token is alive, unless it said so a moment ago; the revocation list is asked
//! every time.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use idp_bridge_core::{
    AccessToken, CallScope, CustomerId, Email, Error, ErrorKind, Outcome, Result, TenantId, TokenIdentity, UserId,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::buckets::Cost;
use super::federated::{Federated, later};
use super::form::{Fields, FormBody};
use super::front::{Known, TokenKey};
use super::{Asked, Refused, SharedFailure, bearer, conclude, customer, form};
use crate::dispatch::in_time;
use crate::error::Refusal;
use crate::log::Line;
use crate::request;
use crate::response::{self, JSON, Response};
use crate::server::Bridge;
use crate::tenant::{FederationRules, Tenant};

/// A token's user, by the names of OpenID Connect, and the customer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UserInfo<'a> {
    /// The identity provider's id of the user: the `id` of the User.
    pub(crate) sub: &'a UserId,
    /// The address in force, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Email>,
    /// Whether the address is proven to be the user's, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_verified: Option<bool>,
    /// The tenant's own id of whom the user belongs to; absent if the user belongs to several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<CustomerId>,
    /// The platform's id of the tenant.
    pub(crate) tenant: &'a TenantId,
}

/// Answers `GET` and `POST …/userinfo`.
pub(super) async fn answer(asked: Asked<'_>) -> Response {
    let Asked { bridge, tenant, head, body, mut line } = asked;
    let told = tell(bridge, tenant.as_ref(), (head, body), &mut line).await;
    conclude(line, told)
}

async fn tell(
    bridge: &Arc<Bridge>,
    tenant: Option<&Arc<Tenant>>,
    (head, body): (&Parts, FormBody),
    line: &mut Line,
) -> Result<Response, Refused> {
    form::refuse_tokens_in_query(head)?;
    let header = bearer::of_header(&head.headers)?;
    let [field] = Fields::of_body(head, body).await?.take_all(["access_token"])?;
    let token = bearer::one_of(header, field)?;
    let timeout = request::timeout(&head.headers, Tenant::MAX_DEADLINE)?;
    let federated = Federated::of(bridge, tenant).ok_or_else(Refusal::bad_token)?;
    // Others may wait for the same request, so that it has the tenant's deadline, and this caller's wait another one.
    let scope = federated.begin(line, Tenant::MAX_DEADLINE);
    let deadline = line.scope(timeout.min(federated.tenant.deadline)).deadline();
    let known = tokio::time::timeout_at(deadline.into(), federated.know(&scope, token)).await;
    let known = known.unwrap_or_else(|_| Err(SharedFailure::late(Outcome::NotApplied)))?;
    line.user(bridge.key.user_hash(&federated.tenant.id, &known.identity.subject));
    line.note(known.note);
    Ok(response::new(known.answer.clone(), JSON))
}

impl Federated<'_> {
    /// Returns the answer for this token. The revocation list is asked last, however the answer came about.
    async fn know(&self, scope: &CallScope, token: AccessToken) -> Result<Arc<Known>, SharedFailure> {
        let key = TokenKey::new(&self.tenant.id, &token);
        let front = &self.bridge.front;
        let cached = front.known(&key).filter(|known| known.until.is_some_and(|until| self.now() < until));
        let known = match cached {
            Some(known) => Ok(known),
            None => self.validate(scope, (&key, token)).await,
        };
        let known = match known {
            // Another logout may have ended since the answer was made.
            Ok(known) => self.refuse_listed(&key, Some(&known.identity)).await.map(|()| known).map_err(Into::into),
            failed => failed,
        };
        if known.as_ref().is_err_and(|failure| failure.error.kind() == ErrorKind::InvalidToken) {
            front.forget(&key);
        }
        known
    }

    /// Validates a token together with all callers who show the same one meanwhile.
    async fn validate(
        &self,
        scope: &CallScope,
        (key, token): (&TokenKey, AccessToken),
    ) -> Result<Arc<Known>, SharedFailure> {
        let identity = in_time(scope, self.admit(scope, (key, &token))).await?;
        let ended = self.bridge.front.validations.join(key.clone(), || {
            let (bridge, tenant) = (Arc::clone(self.bridge), Arc::clone(self.tenant));
            let (scope, key) = (scope.clone(), key.clone());
            async move {
                let federated = Federated::of(&bridge, Some(&tenant)).ok_or_else(SharedFailure::broken)?;
                let known = in_time(&scope, federated.ask(&scope, &token, (&key, identity))).await?;
                Ok(bridge.front.remember(key, known))
            }
        });
        ended.await.unwrap_or_else(|| Err(SharedFailure::broken()))
    }

    /// Asks the identity provider. The list is asked before, so that a listed token costs no request, and again when it is
    /// known whose token it is.
    async fn ask(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        (key, identity): (&TokenKey, Option<TokenIdentity>),
    ) -> Result<Known> {
        self.refuse_listed(key, None).await?;
        let (buckets, tenant) = (&self.bridge.front.buckets, &self.tenant.id);
        buckets.take_of_token(Cost::Userinfo, key)?;
        if let Some(identity) = &identity {
            buckets.take_of_user(Cost::Userinfo, tenant, &identity.subject)?;
        }
        let user = self.idp.validate(scope, token).await?;
        if identity.is_none() {
            // This one is counted by the cap, and the user's next ones by the bucket.
            let _ = buckets.take_of_user(Cost::Userinfo, tenant, &user.identity.subject);
        }
        self.refuse_listed(key, Some(&user.identity)).await?;
        self.refuse_long_lived(&user.identity)?;
        let belonging = customer::of(self, scope, &user).await?;
        let identity = user.identity;
        let answer = response::to_json(&UserInfo {
            sub: &identity.subject,
            email: belonging.email,
            email_verified: belonging.email_verified,
            customer: belonging.customer,
            tenant: &self.tenant.id,
        });
        let until = self.fresh_until(&identity);
        Ok(Known { identity, answer, note: belonging.note, until })
    }

    /// The list forgets what is older than a token may be, so no token may be older.
    fn refuse_long_lived(&self, identity: &TokenIdentity) -> Result<()> {
        let begin = identity.issued_at.unwrap_or_else(|| self.now());
        let life = identity.expires_at.map(|end| Duration::try_from(end.duration_since(begin)).unwrap_or_default());
        if life.is_some_and(|life| life > self.rules.max_token_age) {
            let error = Error::invalid_token("the token lives longer than `max_token_age` allows");
            return Err(error.with_hint("raise `max_token_age`, or let access tokens live shorter"));
        }
        Ok(())
    }

    /// Until when the identity provider need not be asked again; none if it is asked every time.
    fn fresh_until(&self, identity: &TokenIdentity) -> Option<Timestamp> {
        let promised = self.tenant.provider.capabilities().federation();
        let usual = || Duration::from_secs(promised.map_or(0, |promised| promised.cache_seconds).into());
        let cache = self.rules.cache.unwrap_or_else(usual).min(FederationRules::MAX_CACHE);
        let until = later(self.now(), cache);
        (!cache.is_zero()).then(|| identity.expires_at.map_or(until, |end| end.min(until)))
    }
}
