//! Rate limits for each token and each user.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use idp_bridge_core::{Error, ErrorKind, Result, TenantId, UserId};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::token::TokenKey;

/// The maximum number of buckets of all tenants. Beyond that the least recently used one is evicted.
const MAX_BUCKETS: u64 = 100_000;

/// The time after which an unused bucket is removed. Each bucket is full again by then.
const KEPT: Duration = Duration::from_secs(60);

/// The kind of a request to the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cost {
    /// A validation.
    Userinfo,
    /// The steps of a logout.
    Logout,
}

/// The token buckets of tokens and users.
pub(crate) struct Buckets(Cache<(Cost, Owner), Arc<DefaultDirectRateLimiter>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    Token(TokenKey),
    User(TenantId, UserId),
}

impl Buckets {
    /// Creates an empty set. Each new bucket is full.
    pub(super) fn new() -> Self {
        let cache = Cache::builder().max_capacity(MAX_BUCKETS).time_to_idle(KEPT);
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    /// Takes a request from the token's bucket. Fails with `RateLimited` if it is empty.
    pub(crate) fn take_for_token(&self, cost: Cost, token: &TokenKey) -> Result<()> {
        self.take(cost, Owner::Token(token.clone()))
    }

    /// Takes a request from the user's bucket. Fails with `RateLimited` if it is empty.
    pub(crate) fn take_for_user(&self, cost: Cost, tenant: &TenantId, user: &UserId) -> Result<()> {
        self.take(cost, Owner::User(tenant.clone(), user.clone()))
    }

    fn take(&self, cost: Cost, owner: Owner) -> Result<()> {
        let quota = quota(cost, &owner);
        let bucket = self.0.get_with((cost, owner), || Arc::new(RateLimiter::direct(quota)));
        bucket.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Error::ours(ErrorKind::RateLimited, "too many requests with one token or of one user")
                .with_retry_after(Some(wait))
        })
    }
}

/// Returns the burst of a bucket, and the interval at which it is refilled.
fn quota(cost: Cost, owner: &Owner) -> Quota {
    let (burst, millis) = match (cost, owner) {
        (Cost::Userinfo, Owner::Token(_)) => (30, 100),
        (Cost::Userinfo, Owner::User(..)) => (60, 50),
        (Cost::Logout, Owner::Token(_)) => (5, 10_000),
        (Cost::Logout, Owner::User(..)) => (20, 1_000),
    };
    let quota = Quota::with_period(Duration::from_millis(millis)).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    quota.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN))
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::AccessToken;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::new("acme").unwrap()
    }

    #[test]
    fn tokens_and_users_have_separate_buckets() {
        let buckets = Buckets::new();
        let token = |text: &str| TokenKey::new(&tenant(), &AccessToken::new(text).unwrap());
        let taken = |take: &dyn Fn() -> Result<()>| (0..100).take_while(|_| take().is_ok()).count();
        // The clock advances during the test, so a bucket may be refilled.
        assert!((30..35).contains(&taken(&|| buckets.take_for_token(Cost::Userinfo, &token("a")))));
        assert!((30..35).contains(&taken(&|| buckets.take_for_token(Cost::Userinfo, &token("b")))));
        assert_eq!(taken(&|| buckets.take_for_token(Cost::Logout, &token("a"))), 5);
        let user = |id: &str| UserId::new(id).unwrap();
        assert_eq!(taken(&|| buckets.take_for_user(Cost::Logout, &tenant(), &user("a"))), 20);
        assert_eq!(taken(&|| buckets.take_for_user(Cost::Logout, &tenant(), &user("b"))), 20);
        let error = buckets.take_for_token(Cost::Logout, &token("a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(5)), "{error:?}");
    }
}
