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
use crate::revocation::RevokedKey;
use crate::tenant::Tenants;

/// For how long a token that was good need not queue with the unknown ones.
const PROVEN_FOR: Duration = Duration::from_secs(10 * 60);

/// The most tokens that are remembered, of all tenants.
const MOST_PROVEN: u64 = 50_000;

/// Identifies a token of a tenant.
///
/// Two texts of one signed token differ in their signatures alone: of an ECDSA signature (r, s) the twin (r, n − s) is valid
/// too, and anybody can compute it. What was validated is therefore the whole text, and what is revoked is what the
/// signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    tenant: TenantId,
    /// The SHA-256 of the whole text, so that no cached answer is given for another signature.
    text: [u8; 32],
    /// The SHA-256 of a JWT's header and payload, as they are encoded; of an opaque token that of its text.
    content: [u8; 32],
}

impl TokenKey {
    pub(super) fn new(tenant: &TenantId, token: &AccessToken) -> Self {
        let text = token.expose();
        let content = if token.is_jwt() { text.rsplit_once('.').map_or(text, |(content, _)| content) } else { text };
        Self { tenant: tenant.clone(), text: sha256(text), content: sha256(content) }
    }

    /// Returns the entry that the revocation list has for the token, whatever its signature.
    pub(super) fn revoked_key(&self) -> RevokedKey {
        RevokedKey::Token(self.content)
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    sha256
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
