//! What stands before the identity providers: the tokens that were good a while ago, and a cap on all others.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use idp_bridge_core::{AccessToken, Error, ErrorKind, Result, TenantId, TokenIdentity};
use jiff::Timestamp;
use moka::sync::Cache;
use tokio_util::task::TaskTracker;

use super::SharedFailure;
use super::buckets::Buckets;
use super::logout::{Ended, LogoutKey};
use crate::flights::Flights;
use crate::tenant::Tenants;

/// For how long a token that was good need not queue with the unknown ones.
const PROVEN_FOR: Duration = Duration::from_secs(10 * 60);

/// The most tokens that are remembered, of all tenants.
const MOST_PROVEN: u64 = 50_000;

/// What a token is known by: whose it would be, and a digest of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) tenant: TenantId,
    pub(super) sha256: [u8; 32],
}

impl TokenKey {
    pub(super) fn of(tenant: &TenantId, token: &AccessToken) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, token.expose().as_bytes()).as_ref());
        Self { tenant: tenant.clone(), sha256 }
    }
}

/// What userinfo found out about a token.
pub(super) struct Known {
    /// Whose it is.
    pub(super) identity: TokenIdentity,
    /// The body of the answer.
    pub(super) answer: Bytes,
    /// What the operator should know of it.
    pub(super) note: Option<&'static str>,
    /// Until when the identity provider need not be asked again; none if it is asked every time.
    pub(super) until: Option<Timestamp>,
}

/// Keeps from the identity providers what they need not be asked.
pub(crate) struct Front {
    proven: Cache<TokenKey, Arc<Known>>,
    caps: HashMap<TenantId, DefaultDirectRateLimiter>,
    /// How many requests each token and each user has left.
    pub(super) buckets: Buckets,
    /// The validations that run.
    pub(super) validations: Flights<TokenKey, Result<Arc<Known>, SharedFailure>>,
    /// The logouts that run.
    pub(super) logouts: Flights<LogoutKey, Ended>,
}

impl Front {
    /// One for these tenants, which remembers nothing. `tasks` counts the requests that run.
    pub(crate) fn new(tenants: &Tenants, tasks: &TaskTracker) -> Self {
        let caps = tenants.iter().filter_map(|tenant| {
            let most = NonZeroU32::new(tenant.federation.as_ref()?.anonymous_per_second).unwrap_or(NonZeroU32::MIN);
            Some((tenant.id.clone(), RateLimiter::direct(Quota::per_second(most))))
        });
        let proven = Cache::builder().max_capacity(MOST_PROVEN).time_to_live(PROVEN_FOR).build();
        let (validations, logouts) = (Flights::new(tasks.clone()), Flights::new(tasks.clone()));
        Self { proven, caps: caps.collect(), buckets: Buckets::new(), validations, logouts }
    }

    /// What is known of a token that was good lately.
    pub(super) fn known(&self, key: &TokenKey) -> Option<Arc<Known>> {
        self.proven.get(key)
    }

    /// Counts a token of which nothing is known against the tenant's cap.
    pub(super) fn count(&self, tenant: &TenantId) -> Result<()> {
        let Some(cap) = self.caps.get(tenant) else { return Ok(()) };
        cap.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Error::ours(ErrorKind::RateLimited, "too many tokens that were not proven good lately")
                .with_retry_after(Some(wait))
        })
    }

    /// Remembers a token that is good, with what is known of it.
    pub(super) fn remember(&self, key: TokenKey, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        self.proven.insert(key, Arc::clone(&known));
        known
    }

    /// Forgets a token that is not good, or no longer.
    pub(super) fn forget(&self, key: &TokenKey) {
        self.proven.invalidate(key);
    }
}
