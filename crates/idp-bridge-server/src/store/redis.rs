//! A store in a Redis or Valkey server that several replicas share.
//!
//! Two steps that must be one are a script, which the server runs without interruption. Each operation may be repeated
//! after its response was lost.

mod health;
mod link;
mod scripts;
mod settings;
mod target;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use idp_bridge_core::{Clock, Email, Error, ErrorKind, Finding, Random, Result, TenantId, async_trait};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use self::link::Link;
use self::scripts::Scripts;
use crate::digest::{Digest, sha256};
use crate::idempotency::{Ending, FAILURE_KEPT, Held, KEPT, LeaseRequest, LeaseTable, Record, Status};
use crate::reset_limit::{AddressKey, MAX_RESETS, ResetLimiter, WINDOW};
use crate::revocation::{Kept, Revocation, RevocationStore, RevokedKey};

pub use self::settings::{RedisServer, RedisSettings, RedisTopology};

/// The time for which an entry of the revocation list outlives its end, since the clocks of replicas differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Keeps idempotency keys, the revocation list and the limits of resets in a Redis server.
///
/// The server contains digests and keyed hashes, the bodies of successful writes, and neither ids nor tokens.
pub struct RedisStore {
    link: Link,
    scripts: Scripts,
    prefix: String,
    clock: Arc<dyn Clock>,
    /// A random key in hexadecimal digits, which the first replica puts into the server.
    own_key: String,
    /// The key that all replicas use.
    address_key: OnceCell<AddressKey>,
    /// The name of this process in the server, and the number of resets that it counted.
    resets: (String, AtomicU64),
}

impl RedisStore {
    /// Creates a store. The first operation connects to the server.
    ///
    /// Fails if the settings are invalid, or if the system has no randomness.
    pub fn new(settings: &RedisSettings, clock: Arc<dyn Clock>, random: &dyn Random) -> Result<Self> {
        Ok(Self {
            link: Link::new(settings)?,
            scripts: Scripts::new(),
            prefix: settings.prefix.clone(),
            clock,
            own_key: random.word()? + &random.word()?,
            address_key: OnceCell::new(),
            resets: (random.word()?, AtomicU64::new(0)),
        })
    }

    /// Checks that the server can be reached and keeps its data, without changing it.
    pub async fn diagnose(&self) -> Vec<Finding> {
        health::diagnose(&self.link).await
    }

    fn write_key(&self, request: &LeaseRequest) -> String {
        format!("{}write:{}", self.prefix, HEXLOWER.encode(request.key.as_bytes()))
    }

    /// Returns the key of an entry. The entries of a tenant share a hash slot, so that one command can read several.
    fn revocation_key(&self, tenant: &TenantId, digest: &Digest) -> String {
        let slot = sha256(tenant.as_str().as_bytes());
        let slot = slot.first_chunk::<8>().map_or_else(String::new, |first| HEXLOWER.encode(first));
        format!("{}revoked:{{{slot}}}:{}", self.prefix, HEXLOWER.encode(digest))
    }

    /// Returns the key of the hashes of addresses, which the first replica creates.
    async fn address_key(&self) -> Result<&AddressKey> {
        let create = || async {
            let name = format!("{}address-key", self.prefix);
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(&self.own_key).arg("NX");
            self.link.query::<redis::Value>(&set).await?;
            let key: String = self.link.query(redis::cmd("GET").arg(&name)).await?;
            Ok(AddressKey::new(key.as_bytes()))
        };
        self.address_key.get_or_try_init(create).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl LeaseTable for RedisStore {
    async fn acquire(&self, request: &LeaseRequest) -> Result<Held> {
        let mut invocation = self.scripts.acquire.key(self.write_key(request));
        invocation.arg(&request.fingerprint[..]).arg(request.token.to_string()).arg(millis(request.time));
        invocation.arg(request.awaited.map_or_else(String::new, |token| token.to_string()));
        let Some((status, fingerprint, token, body)) = self.link.invoke::<Option<Row>>(&invocation).await? else {
            return Ok(Held::Acquired);
        };
        to_record(&status, &fingerprint, &token, body).and_then(|record| record.answer(request)).ok_or_else(unreadable)
    }

    async fn end(&self, request: &LeaseRequest, ending: &Ending) -> Result<bool> {
        let (status, body, time) = match ending {
            Ending::Succeeded(body) => ("s", &body[..], KEPT),
            Ending::Failed(body) => ("f", &body[..], FAILURE_KEPT),
            Ending::Released => ("", &[][..], Duration::ZERO),
        };
        let mut invocation = self.scripts.end.key(self.write_key(request));
        invocation.arg(&request.fingerprint[..]).arg(request.token.to_string()).arg(status).arg(body).arg(millis(time));
        self.link.invoke(&invocation).await
    }
}

/// The status, fingerprint, token and body of a record.
type Row = (String, Vec<u8>, String, Vec<u8>);

fn to_record(status: &str, fingerprint: &[u8], token: &str, body: Vec<u8>) -> Option<Record> {
    let status = match status {
        "r" => Status::Running,
        "s" => Status::Succeeded,
        "f" => Status::Failed,
        _ => return None,
    };
    let (fingerprint, token) = (fingerprint.try_into().ok()?, token.parse().ok()?);
    Some(Record { status, fingerprint, token, body: Bytes::from(body) })
}

#[async_trait]
impl RevocationStore for RedisStore {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        let now = self.clock.now();
        let mut invocation = self.scripts.revoke.prepare_invoke();
        invocation.arg(to_digits(now));
        let mut count = 0;
        for entry in entries.iter().filter(|entry| Kept::from(*entry).is_active(now)) {
            let time = Duration::try_from(entry.until.duration_since(now)).unwrap_or_default();
            invocation.key(self.revocation_key(tenant, &entry.key.digest(tenant)));
            invocation.arg(entry.not_before.map_or_else(|| NEVER.to_owned(), to_digits));
            invocation.arg(to_digits(entry.until)).arg(millis(time.saturating_add(CLOCK_SKEW)));
            count += 1;
        }
        if count == 0 { Ok(()) } else { self.link.invoke(&invocation).await }
    }

    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        if keys.is_empty() {
            return Ok(false);
        }
        let now = self.clock.now();
        let mut get = redis::cmd("MGET");
        for key in keys {
            get.arg(self.revocation_key(tenant, &key.digest(tenant)));
        }
        let texts: Vec<Option<String>> = self.link.query(&get).await?;
        let kept: Option<Vec<_>> = texts.iter().flatten().map(|text| to_kept(text)).collect();
        let kept = kept.ok_or_else(unreadable)?;
        Ok(kept.iter().any(|kept| kept.is_active(now) && kept.rejects(issued_at)))
    }
}

/// The `not_before` of an entry that rejects all tokens: later than all times.
const NEVER: &str = "999999999999999999999999999999999999999";

/// Returns a time as 39 digits, so that the order of the texts is that of the times.
fn to_digits(time: Timestamp) -> String {
    format!("{:039}", time.as_nanosecond().cast_unsigned() ^ 1 << 127)
}

fn from_digits(digits: &str) -> Option<Timestamp> {
    let shifted: u128 = digits.parse().ok()?;
    Timestamp::from_nanosecond((shifted ^ 1 << 127).cast_signed()).ok()
}

fn to_kept(text: &str) -> Option<Kept> {
    let (not_before, until) = text.split_once(':')?;
    let not_before = if not_before == NEVER { None } else { Some(from_digits(not_before)?) };
    Some(Kept { not_before, until: from_digits(until)? })
}

#[async_trait]
impl ResetLimiter for RedisStore {
    async fn count(&self, tenant: &TenantId, email: &Email, now: Timestamp) -> Result<Option<Duration>> {
        let address = self.address_key().await?.hash(tenant, email);
        // A repetition of this command counts once.
        let member = format!("{}:{}", self.resets.0, self.resets.1.fetch_add(1, Relaxed));
        let mut invocation = self.scripts.count.key(format!("{}resets:{address:032x}", self.prefix));
        invocation.arg(now.as_millisecond()).arg(millis(WINDOW)).arg(MAX_RESETS).arg(member);
        let wait: Option<u64> = self.link.invoke(&invocation).await?;
        Ok(wait.map(|millis| Duration::from_millis(millis).min(WINDOW)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn unreadable() -> Error {
    Error::ours(ErrorKind::Unavailable, "the shared store has a value that this version of the bridge cannot read")
        .with_hint("use a `prefix` of its own in `[server.store]`, or run one version of the bridge")
}
