//! Limits how many password resets may be ordered for one address.
//!
//! The platform orders resets for strangers, so an address is counted whether or not a user has it, and before any look-up.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use idp_bridge_core::{Email, Error, ErrorKind, Result, TenantId};
use jiff::Timestamp;

use crate::process_key::ProcessKey;

/// How many resets an address may have in [`WINDOW`].
const MOST: usize = 5;

/// The time that a reset counts.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// The most addresses that are counted for one tenant. Beyond that the one counted first is forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// A keyed hash of an address: the memory holds no address.
type AddressHash = u128;

/// Counts the resets of each address in memory.
#[derive(Debug, Default)]
pub(crate) struct ResetLimiter(Mutex<HashMap<TenantId, Counts>>);

/// The resets of one tenant's addresses.
#[derive(Debug, Default)]
struct Counts {
    /// When each address had its resets, the oldest first.
    resets: HashMap<AddressHash, VecDeque<Timestamp>>,
    /// The counted addresses, the one counted first at the front.
    order: VecDeque<(Timestamp, AddressHash)>,
}

impl ResetLimiter {
    /// Counts a reset; `RateLimited` if the address has had too many in the last hour.
    pub(crate) fn count(&self, key: &ProcessKey, now: Timestamp, tenant: &TenantId, email: &Email) -> Result<()> {
        let address = key.address_hash(tenant, email);
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = tenants.entry(tenant.clone()).or_default().count(now, address);
        counted.map_err(|wait| {
            Error::ours(ErrorKind::RateLimited, "too many password resets for one address in an hour")
                .with_retry_after(Some(wait))
        })
    }
}

impl Counts {
    /// Counts a reset, or returns how long the address has to wait.
    fn count(&mut self, now: Timestamp, address: AddressHash) -> Result<(), Duration> {
        self.forget_old(now);
        if !self.resets.contains_key(&address) {
            self.make_room();
            self.order.push_back((now, address));
        }
        let resets = self.resets.entry(address).or_default();
        while resets.pop_front_if(|reset| age(now, *reset) >= WINDOW).is_some() {}
        match resets.front() {
            Some(oldest) if resets.len() >= MOST => Err(WINDOW.saturating_sub(age(now, *oldest))),
            _ => {
                resets.push_back(now);
                Ok(())
            }
        }
    }

    /// Forgets the addresses whose resets no longer count.
    fn forget_old(&mut self, now: Timestamp) {
        while let Some((_, address)) = self.order.pop_front_if(|(counted, _)| age(now, *counted) >= WINDOW) {
            match self.resets.get(&address).and_then(VecDeque::back) {
                Some(newest) if age(now, *newest) < WINDOW => self.order.push_back((*newest, address)),
                _ => {
                    self.resets.remove(&address);
                }
            }
        }
    }

    fn make_room(&mut self) {
        while self.resets.len() >= MOST_ADDRESSES
            && let Some((_, address)) = self.order.pop_front()
        {
            self.resets.remove(&address);
        }
    }
}

/// How long ago `then` was; zero if the clock was set back.
fn age(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    #[test]
    fn sixth_reset_in_an_hour_waits() {
        let mut counts = Counts::default();
        for minute in [0, 10, 20, 30, 40] {
            assert_eq!(counts.count(at(minute), 1), Ok(()));
        }
        assert_eq!(counts.count(at(45), 1), Err(Duration::from_secs(15 * 60)));
        assert_eq!(counts.count(at(45), 2), Ok(()), "another address");
        assert_eq!(counts.count(at(60), 1), Ok(()), "the first is an hour old");
        assert_eq!(counts.count(at(61), 1), Err(Duration::from_secs(9 * 60)));
    }

    #[test]
    fn refused_resets_do_not_count() {
        let mut counts = Counts::default();
        for _ in 0..MOST {
            assert_eq!(counts.count(at(0), 1), Ok(()));
        }
        for minute in 1..60 {
            assert!(counts.count(at(minute), 1).is_err());
        }
        assert_eq!(counts.count(at(60), 1), Ok(()));
    }

    #[test]
    fn counts_are_bounded_and_end() {
        let mut counts = Counts::default();
        for address in 0..3 * MOST_ADDRESSES {
            assert_eq!(counts.count(at(0), address as u128), Ok(()));
        }
        assert_eq!((counts.resets.len(), counts.order.len()), (MOST_ADDRESSES, MOST_ADDRESSES));
        assert_eq!(counts.count(at(60), 7), Ok(()));
        assert_eq!((counts.resets.len(), counts.order.len()), (1, 1));
    }

    #[test]
    fn clock_set_back_forgives_nothing() {
        let mut counts = Counts::default();
        for _ in 0..MOST {
            assert_eq!(counts.count(at(60), 1), Ok(()));
        }
        assert_eq!(counts.count(at(0), 1), Err(WINDOW));
    }
}
