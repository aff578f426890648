//! Limits the requests to identity providers: caches validated tokens, limits all others, and merges equal requests.

mod buckets;
mod shared;
mod token;

use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use idp_bridge_core::{Error, ErrorKind, Result};
use moka::sync::Cache;
use tokio_util::task::TaskTracker;

use self::buckets::Buckets;
use crate::error::SharedFailure;
use crate::flights::Flights;
use crate::tenant::Tenant;

pub(crate) use self::buckets::Cost;
pub(crate) use self::shared::{CachedUserinfo, LogoutKey, LogoutOutcome};
pub(crate) use self::token::{PresentedToken, TokenKey};

/// The time for which a validated token does not count against the tenant's limit.
const CACHED_FOR: Duration = Duration::from_secs(10 * 60);

/// The maximum number of cached tokens of all tenants.
const MAX_CACHED: u64 = 50_000;

/// Limits the number of unvalidated tokens that reach an identity provider, and caches validated ones.
pub(crate) struct TokenGate {
    cached: Cache<TokenKey, Arc<CachedUserinfo>>,
    /// The rate limits of each token and each user.
    pub(crate) buckets: Buckets,
    /// The running validations.
    pub(crate) validations: Flights<TokenKey, Result<Arc<CachedUserinfo>, SharedFailure>>,
    /// The running logouts.
    pub(crate) logouts: Flights<LogoutKey, LogoutOutcome>,
}

impl TokenGate {
    /// Creates a gate. Shared requests run as tasks of `tasks`.
    pub(crate) fn new(tasks: &TaskTracker) -> Self {
        let cached = Cache::builder().max_capacity(MAX_CACHED).time_to_live(CACHED_FOR).build();
        let (validations, logouts) = (Flights::new(tasks.clone()), Flights::new(tasks.clone()));
        Self { cached, buckets: Buckets::new(), validations, logouts }
    }

    /// Returns the cached response for a validated token, which may be stale.
    pub(crate) fn cached(&self, key: &TokenKey) -> Option<Arc<CachedUserinfo>> {
        self.cached.get(key)
    }

    /// Counts an unvalidated token against the tenant's limit.
    pub(crate) fn check_rate(&self, tenant: &Tenant) -> Result<()> {
        tenant.unvalidated_tokens().check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Error::ours(ErrorKind::RateLimited, "too many unvalidated tokens").with_retry_after(Some(wait))
        })
    }

    /// Caches the response for a validated token.
    pub(crate) fn insert(&self, key: TokenKey, userinfo: CachedUserinfo) -> Arc<CachedUserinfo> {
        let userinfo = Arc::new(userinfo);
        self.cached.insert(key, Arc::clone(&userinfo));
        userinfo
    }

    /// Removes a token that is no longer valid.
    pub(crate) fn remove(&self, key: &TokenKey) {
        self.cached.invalidate(key);
    }
}
