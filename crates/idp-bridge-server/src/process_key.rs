//! Request ids and log hashes, derived from a random key of the process.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use idp_bridge_core::{Random, TenantId, UserId};

/// Random keys that never leave the process.
#[derive(Debug)]
pub(crate) struct ProcessKey {
    /// SipHash with a random key. Cheaper than an HMAC, for values that need no collision resistance.
    hashes: RandomState,
    /// The key of the hashes of users.
    users: hmac::Key,
    requests: AtomicU64,
}

impl ProcessKey {
    /// Creates a key. Fails if the system has no randomness.
    pub(crate) fn new(random: &dyn Random) -> std::io::Result<Self> {
        let mut key = [0; 32];
        random.fill(&mut key)?;
        let users = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(Self { hashes: RandomState::new(), users, requests: AtomicU64::new(0) })
    }

    /// Sets the salt of the hashes of users. With equal salts, they are equal after a restart and in other processes.
    pub(crate) fn set_user_salt(&mut self, salt: &[u8]) {
        self.users = hmac::Key::new(hmac::HMAC_SHA256, salt);
    }

    /// Returns the next request id, which does not reveal the number of requests.
    pub(crate) fn next_request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Relaxed);
        let half = |part: u8| self.hashes.hash_one((part, number)).to_be_bytes();
        HEXLOWER.encode(&[half(0), half(1)].concat())
    }

    /// Returns the hash of a user for the log. It depends on the salt, or else on the process.
    pub(crate) fn user_hash(&self, tenant: &TenantId, id: &UserId) -> String {
        let mut context = hmac::Context::with_key(&self.users);
        // A tenant's id contains no NUL.
        for part in ["user", tenant.as_str(), "\0", id.as_str()] {
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        HEXLOWER.encode(tag.as_ref().get(..8).unwrap_or_default())
    }

    /// Returns a number below `count` that is stable for a tenant, or 0 if `count` is 0.
    pub(crate) fn pick(&self, tenant: &TenantId, count: usize) -> usize {
        let hash = usize::try_from(self.hashes.hash_one(tenant.as_str()) >> 32).unwrap_or_default();
        hash.checked_rem(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::SystemRandom;

    use super::*;

    #[test]
    fn user_hash_is_stable_within_a_process() {
        let (key, next) = (ProcessKey::new(&SystemRandom).unwrap(), ProcessKey::new(&SystemRandom).unwrap());
        let tenant = |id: &str| TenantId::new(id).unwrap();
        let id = UserId::new("u-1").unwrap();
        assert_eq!(key.user_hash(&tenant("a"), &id), key.user_hash(&tenant("a"), &id));
        assert_ne!(key.user_hash(&tenant("a"), &id), key.user_hash(&tenant("b"), &id));
        assert_ne!(key.user_hash(&tenant("a"), &id), next.user_hash(&tenant("a"), &id));
        assert_eq!(key.user_hash(&tenant("a"), &id).len(), 16);
    }

    #[test]
    fn equal_salts_give_equal_user_hashes() {
        let hash = |salt: &[u8], tenant: &str| {
            let mut key = ProcessKey::new(&SystemRandom).unwrap();
            key.set_user_salt(salt);
            key.user_hash(&TenantId::new(tenant).unwrap(), &UserId::new("u-1").unwrap())
        };
        assert_eq!(hash(b"one", "a"), hash(b"one", "a"));
        assert_ne!(hash(b"one", "a"), hash(b"two", "a"));
        assert_ne!(hash(b"one", "a"), hash(b"one", "b"));
    }

    #[test]
    fn pick_is_stable_and_below_count() {
        let key = ProcessKey::new(&SystemRandom).unwrap();
        let pick = |number: usize, count| key.pick(&TenantId::new(number.to_string()).unwrap(), count);
        let picked: std::collections::BTreeSet<_> = (0..200).map(|number| pick(number, 3)).collect();
        assert_eq!(picked, (0..3).collect());
        assert_eq!((pick(1, 3), pick(1, 0)), (pick(1, 3), 0));
    }
}
