//! A tenant: its callers, provider and rules.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::Extensions;
use idp_bridge_core::{CallKind, CustomerId, IdentityProvider, TenantId, UpstreamCounters, UserId};
use idp_bridge_protocol::{Code, KeyRing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::{AccessTokens, RestToken};
use crate::error::Refusal;
use crate::guard::TenantGuard;
use crate::history::History;
use crate::limits::TenantLimits;
use crate::metrics::{CallCounters, TenantMetrics};
use crate::peer::Peer;
use crate::user_cache::UserCache;

/// A tenant of the server.
pub struct Tenant {
    /// The platform's id of the tenant.
    pub id: TenantId,
    /// The type of its connector, for the log and `ping`.
    pub connector: &'static str,
    /// The provider of its calls.
    pub provider: Arc<dyn IdentityProvider>,
    /// The keys that verify signed calls.
    pub keys: KeyRing,
    /// The time limit of a call.
    pub deadline: Duration,
    /// The rule for a user without a customer.
    pub customer_missing: CustomerMissing,
    /// The static tokens of REST.
    pub tokens: Vec<RestToken>,
    /// The JWT access tokens that REST accepts. REST is off without these and static tokens.
    pub access_tokens: Option<AccessTokens>,
    /// The disabled calls.
    pub switched_off: BTreeSet<CallKind>,
    /// The rules for userinfo and logout. `None` if federation is off.
    pub federation: Option<FederationRules>,
    /// The DNS names and URIs of the client certificates that may make signed calls and REST calls. Any valid certificate may
    /// if this is empty.
    pub client_names: Vec<String>,
    /// The limits on its calls.
    pub limits: TenantLimits,
    /// The time for which a user that was read is cached, usually at most a minute. Zero caches none.
    pub user_cache: Duration,
    /// The counters of the provider's requests.
    pub upstream: UpstreamCounters,
    state: TenantState,
}

/// The state of a tenant, which lasts until its settings change.
#[derive(Default)]
struct TenantState {
    /// The rate limit of unvalidated tokens, created when it is first used.
    unvalidated_tokens: OnceLock<DefaultDirectRateLimiter>,
    /// The places of its calls, created with the first one.
    guard: OnceLock<TenantGuard>,
    /// The cached users, and the number of writes.
    users: UserCache,
    /// The counters of its calls, which continue with new settings.
    calls: Arc<CallCounters>,
    /// Its calls of the last hour, which continue with new settings.
    history: Arc<History>,
}

impl Tenant {
    /// The deadline of a tenant that sets none.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(4);
    /// The longest deadline that a tenant may set.
    pub const MAX_DEADLINE: Duration = Duration::from_secs(30);

    /// Creates a tenant with the default rules, without REST and without federation.
    pub fn new(id: TenantId, connector: &'static str, provider: Arc<dyn IdentityProvider>, keys: KeyRing) -> Self {
        Self {
            id,
            connector,
            provider,
            keys,
            deadline: Self::DEFAULT_DEADLINE,
            customer_missing: CustomerMissing::default(),
            tokens: Vec::new(),
            access_tokens: None,
            switched_off: BTreeSet::new(),
            federation: None,
            client_names: Vec::new(),
            limits: TenantLimits::default(),
            user_cache: Duration::ZERO,
            upstream: UpstreamCounters::default(),
            state: TenantState::default(),
        }
    }

    /// Returns the rate limit of unvalidated tokens that reach the identity provider.
    pub(crate) fn unvalidated_tokens(&self) -> &DefaultDirectRateLimiter {
        self.state.unvalidated_tokens.get_or_init(|| {
            let max = self.federation.as_ref().map_or(0, |rules| rules.anonymous_per_second);
            RateLimiter::direct(Quota::per_second(NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN)))
        })
    }

    /// Returns the places of the tenant's calls.
    pub(crate) fn guard(&self) -> &TenantGuard {
        self.state.guard.get_or_init(|| TenantGuard::new(&self.limits))
    }

    /// Returns the cached users, and the number of writes.
    pub(crate) fn users(&self) -> &UserCache {
        &self.state.users
    }

    /// Returns the number of calls that use the identity provider now, or `None` before the first one.
    pub(crate) fn running_calls(&self) -> Option<usize> {
        self.state.guard.get().map(TenantGuard::running)
    }

    /// Continues the counters of this tenant with earlier settings.
    pub fn continue_counters(&mut self, earlier: &Self) {
        self.state.calls = Arc::clone(&earlier.state.calls);
        self.state.history = Arc::clone(&earlier.state.history);
    }

    /// Returns the tenant's part of the metrics.
    pub(crate) fn metrics(&self) -> TenantMetrics {
        let TenantState { calls, history, .. } = &self.state;
        TenantMetrics { connector: self.connector, calls: Arc::clone(calls), history: Arc::clone(history) }
    }

    /// Returns the calls of the last hour.
    pub(crate) fn history(&self) -> &History {
        &self.state.history
    }

    /// Fails unless the client certificate of a request's connection may call this tenant.
    pub(crate) fn check_client(&self, request: &Extensions) -> Result<(), Refusal> {
        let is_allowed = || Peer::from_extensions(request).is_some_and(|peer| peer.has_name(&self.client_names));
        if self.client_names.is_empty() || is_allowed() {
            return Ok(());
        }
        Err(Refusal::new(Code::Forbidden).with_detail("the client certificate may not call this tenant"))
    }

    /// Returns the customer of a user without one: the user's id if the rule is `use_id`.
    pub(crate) fn own_customer(&self, id: &UserId) -> Option<CustomerId> {
        match self.customer_missing {
            CustomerMissing::Reject => None,
            CustomerMissing::UseId => CustomerId::new(id.as_str()).ok(),
        }
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).field("connector", &self.connector).finish_non_exhaustive()
    }
}

/// The rule for a user without a customer at the identity provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerMissing {
    /// The user is incomplete, and the call fails.
    #[default]
    Reject,
    /// The user is its own customer: its id is the customer.
    UseId,
}

/// The rules for userinfo and logout of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationRules {
    /// The client ids of the applications that may end a browser session.
    pub clients: Vec<String>,
    /// The addresses to which the identity provider may redirect after a logout, byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// The origins of the pages that may call userinfo and logout, in the form of the `origin` header.
    pub cors_origins: Vec<String>,
    /// The source of the customer.
    pub customer: CustomerFrom,
    /// The time for which userinfo caches a validated token, up to [`MAX_CACHE`](Self::MAX_CACHE). The connector's default if
    /// absent.
    pub cache: Option<Duration>,
    /// The longest accepted lifetime of an access token, after which entries of the revocation list can be removed.
    pub max_token_age: Duration,
    /// Whether the federation document is public.
    pub publish: bool,
    /// The maximum number of unvalidated tokens that reach the identity provider in a second; at least one.
    pub anonymous_per_second: u32,
}

impl FederationRules {
    /// The longest time for which userinfo caches a validated token.
    pub const MAX_CACHE: Duration = Duration::from_secs(60);
}

impl Default for FederationRules {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            cors_origins: Vec::new(),
            customer: CustomerFrom::default(),
            cache: None,
            max_token_age: Duration::from_secs(24 * 60 * 60),
            publish: false,
            anonymous_per_second: 50,
        }
    }
}

/// The source of the customer in userinfo: the token's claim, or the user at the identity provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerFrom {
    /// The claim. The user is read only if there is no claim.
    #[default]
    Claim,
    /// The claim. The user is read, too, and a different customer is logged.
    ClaimCompared,
    /// The user. A different customer in the claim is logged.
    User,
}
