//! The times at which tokens have expired, so that the entries of the revocation list can be removed.

use std::time::Duration;

use idp_bridge_core::UserId;
use jiff::Timestamp;

use super::store::{Revocation, RevokedKey};

/// The maximum difference between the clock of an identity provider and that of the bridge.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// The assumed lifetime of a token without an expiry.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(24);

/// Adds a duration to a time, up to the latest timestamp.
pub(crate) fn add_saturating(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// Returns the time at which each token that is valid now has expired.
pub(crate) fn all_tokens_expired(now: Timestamp, max_token_age: Duration) -> Timestamp {
    add_saturating(now, max_token_age.saturating_add(CLOCK_SKEW))
}

/// Returns the time at which a token with this expiry is no longer accepted.
///
/// A token that lives longer than `max_token_age` is rejected anyway.
pub(crate) fn token_expired(now: Timestamp, expires_at: Option<Timestamp>, max_token_age: Duration) -> Timestamp {
    let all_expired = all_tokens_expired(now, max_token_age);
    match expires_at {
        Some(end) => add_saturating(end.max(now), CLOCK_SKEW).min(all_expired),
        None => add_saturating(now, DEFAULT_LIFETIME).max(all_expired),
    }
}

impl Revocation {
    /// Creates the entry that rejects all tokens of a user who is deleted now.
    ///
    /// Tokens of a user who registers with an equal id later are accepted.
    pub(crate) fn for_deleted_user(id: UserId, now: Timestamp, max_token_age: Duration) -> Self {
        let not_before = Some(add_saturating(now, CLOCK_SKEW));
        Self { key: RevokedKey::Subject(id), not_before, until: all_tokens_expired(now, max_token_age) }
    }
}
