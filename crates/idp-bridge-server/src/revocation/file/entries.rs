//! The tables of the file: entries by their digests, and the same by their ends.

use jiff::Timestamp;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition};

use crate::revocation::{Digest, Kept};

/// `not_before` and `until`, in nanoseconds since 1970.
pub(super) type Row = (Option<i128>, i128);

/// The names carry the version of what is in them.
pub(super) const ENTRIES: TableDefinition<'_, &[u8; 32], Row> = TableDefinition::new("entries.1");
pub(super) const ENDS: TableDefinition<'_, (i128, &[u8; 32]), ()> = TableDefinition::new("ends.1");

/// So many more entries are forgotten with a commit than it adds: the list shrinks, and no commit takes long.
const FORGET: usize = 256;

/// Makes the tables, if they are not there.
pub(super) fn prepare(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(ENTRIES)?;
    write.open_table(ENDS)?;
    Ok(write.commit()?)
}

/// Adds entries, and returns when they are on the disk.
pub(super) fn add(database: &Database, new: &[(Digest, Kept)], now: Timestamp) -> Result<(), redb::Error> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    {
        let mut tables = Tables { entries: write.open_table(ENTRIES)?, ends: write.open_table(ENDS)? };
        for (digest, kept) in new.iter().filter(|(_, kept)| kept.is_alive(now)) {
            tables.add(digest, *kept, now)?;
        }
        tables.forget(now, new.len().saturating_add(FORGET))?;
    }
    Ok(write.commit()?)
}

/// The entries that are there, forgotten some time or not.
pub(super) fn find(database: &Database, digests: &[Digest]) -> Result<Vec<Kept>, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    let mut found = Vec::new();
    for digest in digests {
        if let Some(row) = entries.get(digest)? {
            found.push(kept(row.value())?);
        }
    }
    Ok(found)
}

struct Tables<'w> {
    entries: Table<'w, &'static [u8; 32], Row>,
    ends: Table<'w, (i128, &'static [u8; 32]), ()>,
}

impl Tables<'_> {
    fn add(&mut self, digest: &Digest, new: Kept, now: Timestamp) -> Result<(), redb::Error> {
        let old = self.entries.get(digest)?.map(|row| kept(row.value())).transpose()?;
        if let Some(old) = old {
            self.ends.remove((old.until.as_nanosecond(), digest))?;
        }
        let merged = old.filter(|old| old.is_alive(now)).map_or(new, |old| old.merge(new));
        let until = merged.until.as_nanosecond();
        self.entries.insert(digest, (merged.not_before.map(Timestamp::as_nanosecond), until))?;
        self.ends.insert((until, digest), ())?;
        Ok(())
    }

    /// Forgets entries that have ended, at most so many.
    fn forget(&mut self, now: Timestamp, most: usize) -> Result<(), redb::Error> {
        for _ in 0..most {
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

fn kept((not_before, until): Row) -> Result<Kept, StorageError> {
    let timestamp = |nanoseconds: i128| {
        Timestamp::from_nanosecond(nanoseconds).map_err(|_| StorageError::Corrupted("a time is out of range".into()))
    };
    Ok(Kept { not_before: not_before.map(timestamp).transpose()?, until: timestamp(until)? })
}
