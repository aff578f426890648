//! Limits the number of password resets for an address.
//!
//! The platform sends resets for people who are not logged in, so each address counts before any look-up, whether or not a user
//! has it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use idp_bridge_core::{Email, Random, Result, TenantId, async_trait};
use jiff::Timestamp;

/// The maximum number of resets for an address within [`WINDOW`].
pub(crate) const MAX_RESETS: usize = 5;

/// The time for which a reset counts.
pub(crate) const WINDOW: Duration = Duration::from_secs(60 * 60);

/// The maximum number of addresses that are counted for a tenant. Beyond that the oldest entry is removed.
const MAX_ADDRESSES: usize = 10_000;

/// The keyed hash of an address, so that neither memory nor a store contains addresses.
pub(crate) type AddressHash = u128;

/// Counts the resets of each address. Several bridges may share a limiter.
#[async_trait]
pub trait ResetLimiter: fmt::Debug + Send + Sync + 'static {
    /// Counts a reset. Returns the time to wait if the address had five in the last hour; such a reset does not count.
    async fn count(&self, tenant: &TenantId, email: &Email, now: Timestamp) -> Result<Option<Duration>>;
}

/// The key of the hashes of addresses.
#[derive(Clone)]
pub(crate) struct AddressKey(hmac::Key);

impl AddressKey {
    /// Creates a key from random bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Returns the hash of a tenant's email address, independent of ASCII case.
    pub(crate) fn hash(&self, tenant: &TenantId, email: &Email) -> AddressHash {
        let mut context = hmac::Context::with_key(&self.0);
        // A tenant's id contains no NUL.
        for part in [tenant.as_str().as_bytes(), b"\0", email.as_str().to_ascii_lowercase().as_bytes()] {
            context.update(part);
        }
        context.sign().as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

/// Counts the resets of each address in memory.
pub(crate) struct MemoryResets {
    key: AddressKey,
    tenants: Mutex<HashMap<TenantId, Counts>>,
}

/// The resets of a tenant's addresses.
#[derive(Debug, Default)]
struct Counts {
    /// The times of each address's resets, oldest first.
    resets: HashMap<AddressHash, VecDeque<Timestamp>>,
    /// The counted addresses, oldest first.
    order: VecDeque<(Timestamp, AddressHash)>,
}

impl MemoryResets {
    /// Creates an empty limiter. Fails if the system has no randomness.
    pub(crate) fn new(random: &dyn Random) -> std::io::Result<Self> {
        let mut key = [0; 32];
        random.fill(&mut key)?;
        Ok(Self { key: AddressKey::new(&key), tenants: Mutex::default() })
    }
}

impl fmt::Debug for MemoryResets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryResets")
    }
}

#[async_trait]
impl ResetLimiter for MemoryResets {
    async fn count(&self, tenant: &TenantId, email: &Email, now: Timestamp) -> Result<Option<Duration>> {
        let address = self.key.hash(tenant, email);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tenants.entry(tenant.clone()).or_default().count(now, address).err())
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

    #[test]
    fn address_hash_ignores_ascii_case() {
        let (key, next) = (AddressKey::new(&[1; 32]), AddressKey::new(&[2; 32]));
        let hash = |key: &AddressKey, tenant: &str, email: &str| {
            key.hash(&TenantId::new(tenant).unwrap(), &Email::new(email).unwrap())
        };
        assert_eq!(hash(&key, "a", "Ada@acme.example"), hash(&key, "a", "ada@ACME.example"));
        assert_ne!(hash(&key, "a", "ada@acme.example"), hash(&key, "b", "ada@acme.example"));
        assert_ne!(hash(&key, "a", "ada@acme.example"), hash(&key, "a", "bda@acme.example"));
        assert_ne!(hash(&key, "a", "ada@acme.example"), hash(&next, "a", "ada@acme.example"));
    }
}
