//! The tables of the revocation list: entries by digest, and their digests by expiry.

use jiff::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition, WriteTransaction};

use crate::digest::Digest;
use crate::revocation::Kept;

/// `not_before` and `until`, in nanoseconds since 1970.
pub(super) type Row = (Option<i128>, i128);

/// The names contain the version of the format.
pub(super) const ENTRIES: TableDefinition<'_, &[u8; 32], Row> = TableDefinition::new("entries.1");
pub(super) const ENDS: TableDefinition<'_, (i128, &[u8; 32]), ()> = TableDefinition::new("ends.1");

/// The number of expired entries that a commit removes beyond those that it adds, so that the list shrinks in small steps.
const REMOVE: usize = 256;

/// Creates missing tables.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(ENTRIES)?;
    transaction.open_table(ENDS)?;
    Ok(())
}

/// Adds entries.
pub(super) fn add(transaction: &WriteTransaction, new: &[(Digest, Kept)], now: Timestamp) -> Result<(), redb::Error> {
    let mut tables = Tables { entries: transaction.open_table(ENTRIES)?, ends: transaction.open_table(ENDS)? };
    for (digest, kept) in new.iter().filter(|(_, kept)| kept.is_active(now)) {
        tables.add(digest, *kept, now)?;
    }
    tables.remove_expired(now, new.len().saturating_add(REMOVE))
}

/// Returns all entries, including expired ones that are not removed yet.
pub(super) fn all(database: &Database) -> Result<Vec<(Digest, Kept)>, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    let rows = entries.iter()?.map(|row| {
        let (digest, value) = row?;
        Ok((*digest.value(), to_kept(value.value())?))
    });
    rows.collect()
}

struct Tables<'w> {
    entries: Table<'w, &'static [u8; 32], Row>,
    ends: Table<'w, (i128, &'static [u8; 32]), ()>,
}

impl Tables<'_> {
    fn add(&mut self, digest: &Digest, new: Kept, now: Timestamp) -> Result<(), redb::Error> {
        let old = self.entries.get(digest)?.map(|row| to_kept(row.value())).transpose()?;
        if let Some(old) = old {
            self.ends.remove((old.until.as_nanosecond(), digest))?;
        }
        let merged = old.filter(|old| old.is_active(now)).map_or(new, |old| old.merge(new));
        let until = merged.until.as_nanosecond();
        self.entries.insert(digest, (merged.not_before.map(Timestamp::as_nanosecond), until))?;
        self.ends.insert((until, digest), ())?;
        Ok(())
    }

    /// Removes up to `max` expired entries.
    fn remove_expired(&mut self, now: Timestamp, max: usize) -> Result<(), redb::Error> {
        for _ in 0..max {
            let first = self.ends.first()?.map(|(end, _)| {
                let (until, digest) = end.value();
                (until, *digest)
            });
            match first {
                Some((until, digest)) if until <= now.as_nanosecond() => {
                    self.ends.remove((until, &digest))?;
                    self.entries.remove(&digest)?;
                }
                _ => break,
            }
        }
        Ok(())
    }
}

fn to_kept((not_before, until): Row) -> Result<Kept, StorageError> {
    let timestamp = |nanoseconds: i128| {
        Timestamp::from_nanosecond(nanoseconds).map_err(|_| StorageError::Corrupted("a time is out of range".into()))
    };
    Ok(Kept { not_before: not_before.map(timestamp).transpose()?, until: timestamp(until)? })
}
