//! The tables of the idempotency keys: records by key, and their keys by expiry.

use bytes::Bytes;
use jiff::Timestamp;
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata as _, StorageError, Table, TableDefinition,
    WriteTransaction,
};

use crate::digest::Digest;
use crate::idempotency::{Ending, FAILURE_KEPT, Held, KEPT, LeaseRequest, Record, Status};
use crate::revocation::add_saturating;

/// The status, the fingerprint, the token of the lease, the end of the record in nanoseconds since 1970, and the body.
type Row<'a> = (u8, [u8; 32], u128, i128, &'a [u8]);

/// The names contain the version of the format.
const RECORDS: TableDefinition<'_, &[u8; 32], Row<'_>> = TableDefinition::new("writes.1");
/// Successes are separate from leases and failures, since only they are evicted early.
pub(super) const ENDS: TableDefinition<'_, (bool, i128, &[u8; 32]), ()> = TableDefinition::new("write-ends.1");

/// The maximum number of records. Beyond that the oldest successes are evicted.
pub(super) const MAX_RECORDS: u64 = 1_000_000;

/// The number of expired records that a change removes.
const REMOVE: usize = 16;

/// Creates missing tables.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(RECORDS)?;
    transaction.open_table(ENDS)?;
    Ok(())
}

/// A record with its end.
struct Kept {
    record: Record,
    until: i128,
}

impl Kept {
    fn from_row((status, fingerprint, token, until, body): Row<'_>) -> Result<Self, StorageError> {
        let status = match status {
            0 => Status::Running,
            1 => Status::Succeeded,
            2 => Status::Failed,
            _ => return Err(StorageError::Corrupted("the status of a write is out of range".into())),
        };
        Ok(Self { record: Record { status, fingerprint, token, body: Bytes::copy_from_slice(body) }, until })
    }

    fn to_row(&self) -> Row<'_> {
        let Record { status, fingerprint, token, body } = &self.record;
        let status = match status {
            Status::Running => 0,
            Status::Succeeded => 1,
            Status::Failed => 2,
        };
        (status, *fingerprint, *token, self.until, body)
    }

    /// Returns the key in the order of expiry.
    fn to_end<'k>(&self, key: &'k Digest) -> (bool, i128, &'k Digest) {
        (self.record.status == Status::Succeeded, self.until, key)
    }
}

/// Returns the response to a request as far as it needs no change.
pub(super) fn find(database: &Database, request: &LeaseRequest, now: Timestamp) -> Result<Option<Held>, redb::Error> {
    let records = database.begin_read()?.open_table(RECORDS)?;
    let row = records.get(request.key.as_bytes())?.map(|row| Kept::from_row(row.value())).transpose()?;
    Ok(row.filter(|kept| kept.until > now.as_nanosecond()).and_then(|kept| kept.record.answer(request)))
}

/// Gives the lease to the request, unless the record of the key forbids it. Keeps `max` records.
pub(super) fn acquire(
    transaction: &WriteTransaction,
    request: &LeaseRequest,
    now: Timestamp,
    max: u64,
) -> Result<Held, redb::Error> {
    let mut tables = Tables::open(transaction, now)?;
    let key = request.key.as_bytes();
    if let Some(kept) = tables.get(key)?
        && let Some(held) = kept.record.answer(request)
    {
        return Ok(held);
    }
    let LeaseRequest { fingerprint, token, time, .. } = *request;
    let record = Record { status: Status::Running, fingerprint, token, body: Bytes::new() };
    tables.remove_expired()?;
    tables.put(key, &Kept { record, until: add_saturating(now, time).as_nanosecond() })?;
    tables.evict(max)?;
    Ok(Held::Acquired)
}

/// Ends the lease of a request. Returns false if the request does not have it.
pub(super) fn end(
    transaction: &WriteTransaction,
    request: &LeaseRequest,
    ending: &Ending,
    now: Timestamp,
) -> Result<bool, redb::Error> {
    let mut tables = Tables::open(transaction, now)?;
    let key = request.key.as_bytes();
    let owner = tables.get(key)?.map(|kept| kept.record.token);
    let (status, body, time) = match ending {
        Ending::Succeeded(body) => (Status::Succeeded, body, KEPT),
        Ending::Failed(body) => (Status::Failed, body, FAILURE_KEPT),
        Ending::Released => {
            let is_own = owner == Some(request.token);
            if is_own {
                tables.remove(key)?;
            }
            return Ok(is_own);
        }
    };
    let may_end = owner == Some(request.token) || owner.is_none() && status == Status::Succeeded;
    if may_end {
        let LeaseRequest { fingerprint, token, .. } = *request;
        let record = Record { status, fingerprint, token, body: body.clone() };
        tables.put(key, &Kept { record, until: add_saturating(now, time).as_nanosecond() })?;
    }
    Ok(may_end)
}

struct Tables<'t> {
    records: Table<'t, &'static [u8; 32], Row<'static>>,
    ends: Table<'t, (bool, i128, &'static [u8; 32]), ()>,
    now: i128,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction, now: Timestamp) -> Result<Self, redb::Error> {
        let (records, ends) = (transaction.open_table(RECORDS)?, transaction.open_table(ENDS)?);
        Ok(Self { records, ends, now: now.as_nanosecond() })
    }

    /// Returns the record of a key, unless it has expired.
    fn get(&self, key: &Digest) -> Result<Option<Kept>, redb::Error> {
        let kept = self.records.get(key)?.map(|row| Kept::from_row(row.value())).transpose()?;
        Ok(kept.filter(|kept| kept.until > self.now))
    }

    fn put(&mut self, key: &Digest, kept: &Kept) -> Result<(), redb::Error> {
        self.remove(key)?;
        self.records.insert(key, kept.to_row())?;
        self.ends.insert(kept.to_end(key), ())?;
        Ok(())
    }

    fn remove(&mut self, key: &Digest) -> Result<(), redb::Error> {
        let old = self.records.remove(key)?.map(|row| Kept::from_row(row.value())).transpose()?;
        if let Some(old) = old {
            self.ends.remove(old.to_end(key))?;
        }
        Ok(())
    }

    /// Removes up to [`REMOVE`] expired records of each kind.
    fn remove_expired(&mut self) -> Result<(), redb::Error> {
        for is_success in [false, true] {
            for _ in 0..REMOVE {
                match self.first(is_success)? {
                    Some((until, key)) if until <= self.now => self.remove(&key)?,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Removes the oldest successes beyond `max` records.
    fn evict(&mut self, max: u64) -> Result<(), redb::Error> {
        while self.records.len()? > max
            && let Some((_, key)) = self.first(true)?
        {
            self.remove(&key)?;
        }
        Ok(())
    }

    /// Returns the end and the key of the record that expires first.
    fn first(&self, is_success: bool) -> Result<Option<(i128, Digest)>, redb::Error> {
        let (from, to) = ((is_success, i128::MIN, &[0; 32]), (is_success, i128::MAX, &[u8::MAX; 32]));
        let first = self.ends.range(from..=to)?.next().transpose()?;
        Ok(first.map(|(end, _)| {
            let (_, until, key) = end.value();
            (until, *key)
        }))
    }
}
