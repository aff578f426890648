//! Limits the number of password resets for an address.
//!
//! The platform sends resets for strangers, so each address counts before any look-up, whether or not a user has it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use idp_bridge_core::{Email, Error, ErrorKind, Result, TenantId};
use jiff::Timestamp;

use crate::process_key::ProcessKey;

/// The maximum number of resets for an address within [`WINDOW`].
const MAX_RESETS: usize = 5;

/// The time for which a reset counts.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// The maximum number of addresses that are counted for a tenant. Beyond that the oldest entry is removed.
const MAX_ADDRESSES: usize = 10_000;

/// The keyed hash of an address, so that memory contains no addresses.
type AddressHash = u128;

/// Counts the resets of each address in memory.
#[derive(Debug, Default)]
pub(crate) struct ResetLimiter(Mutex<HashMap<TenantId, Counts>>);

/// The resets of a tenant's addresses.
#[derive(Debug, Default)]
struct Counts {
    /// The times of each address's resets, oldest first.
    resets: HashMap<AddressHash, VecDeque<Timestamp>>,
    /// The counted addresses, oldest first.
    order: VecDeque<(Timestamp, AddressHash)>,
}

impl ResetLimiter {
    /// Counts a reset. Fails with `RateLimited` if the address had too many in the last hour.
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
    /// Counts a reset, or returns the time until the next one is allowed.
    fn count(&mut self, now: Timestamp, address: AddressHash) -> Result<(), Duration> {
        self.remove_old(now);
        if !self.resets.contains_key(&address) {
            self.make_room();
            self.order.push_back((now, address));
        }
        let resets = self.resets.entry(address).or_default();
        while resets.pop_front_if(|reset| age(now, *reset) >= WINDOW).is_some() {}
        match resets.front() {
            Some(oldest) if resets.len() >= MAX_RESETS => Err(WINDOW.saturating_sub(age(now, *oldest))),
            _ => {
                resets.push_back(now);
                Ok(())
            }
        }
    }

    /// Removes the addresses without a reset that still counts.
    fn remove_old(&mut self, now: Timestamp) {
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
        while self.resets.len() >= MAX_ADDRESSES
            && let Some((_, address)) = self.order.pop_front()
        {
            self.resets.remove(&address);
        }
    }
}

/// Returns the time since `then`, or zero if the clock was set back.
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
        for _ in 0..MAX_RESETS {
            assert_eq!(counts.count(at(0), 1), Ok(()));
        }
        for minute in 1..60 {
            assert!(counts.count(at(minute), 1).is_err());
        }
        assert_eq!(counts.count(at(60), 1), Ok(()));
    }

    #[test]
    fn counts_are_bounded_and_expire() {
        let mut counts = Counts::default();
        for address in 0..3 * MAX_ADDRESSES {
            assert_eq!(counts.count(at(0), address as u128), Ok(()));
        }
        assert_eq!((counts.resets.len(), counts.order.len()), (MAX_ADDRESSES, MAX_ADDRESSES));
        assert_eq!(counts.count(at(60), 7), Ok(()));
        assert_eq!((counts.resets.len(), counts.order.len()), (1, 1));
    }

    #[test]
    fn clock_set_back_resets_no_count() {
        let mut counts = Counts::default();
        for _ in 0..MAX_RESETS {
            assert_eq!(counts.count(at(60), 1), Ok(()));
        }
        assert_eq!(counts.count(at(0), 1), Err(WINDOW));
    }
}
