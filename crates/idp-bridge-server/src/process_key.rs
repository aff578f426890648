//! Request ids and log hashes, derived from a random key of the process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_lc_rs::hmac;
use idp_bridge_core::{Random, TenantId, UserId};

/// A random key that never leaves the process.
#[derive(Debug)]
pub(crate) struct ProcessKey {
    key: hmac::Key,
    /// The key of the hashes of users. Another one than `key` if several processes share it.
    users: hmac::Key,
    requests: AtomicU64,
}

impl ProcessKey {
    /// Creates a key. Fails if the system has no randomness.
    pub(crate) fn new(random: &dyn Random) -> std::io::Result<Self> {
        let mut key = [0; 32];
        random.fill(&mut key)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(Self { users: key.clone(), key, requests: AtomicU64::new(0) })
    }

    /// Sets the salt of the hashes of users. With equal salts, they are equal after a restart and in other processes.
    pub(crate) fn set_user_salt(&mut self, salt: &[u8]) {
        self.users = hmac::Key::new(hmac::HMAC_SHA256, salt);
    }

    /// Returns the next request id, which does not reveal the number of requests.
    pub(crate) fn next_request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Relaxed);
        format!("{:032x}", digest::<16>(&self.key, &[b"request", &number.to_be_bytes()]))
    }

    /// Returns the hash of a user for the log. It depends on the salt, or else on the process.
    pub(crate) fn user_hash(&self, tenant: &TenantId, id: &UserId) -> String {
        // A tenant's id contains no NUL.
        format!(
            "{:016x}",
            digest::<8>(&self.users, &[b"user", tenant.as_str().as_bytes(), b"\0", id.as_str().as_bytes()])
        )
    }

    /// Returns a number below `count` that is stable for a tenant, or 0 if `count` is 0.
    pub(crate) fn pick(&self, tenant: &TenantId, count: usize) -> usize {
        let digest = digest::<16>(&self.key, &[b"pick", tenant.as_str().as_bytes()]);
        let picked = u128::try_from(count).ok().and_then(|count| digest.checked_rem(count));
        picked.and_then(|picked| usize::try_from(picked).ok()).unwrap_or_default()
    }
}

/// Returns the first bytes of the HMAC of all parts as a number.
fn digest<const BYTES: usize>(key: &hmac::Key, parts: &[&[u8]]) -> u128 {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    tag.as_ref().iter().take(BYTES).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::SystemRandom;

    use super::*;

    #[test]
    fn request_ids_differ() {
        let key = ProcessKey::new(&SystemRandom).unwrap();
        let (one, two) = (key.next_request_id(), key.next_request_id());
        assert_ne!(one, two);
        assert_eq!((one.len(), two.len()), (32, 32));
    }

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
