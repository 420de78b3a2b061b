//! Gives room on disk back that sessions needed which are over: the database reuses it, but never returns it.

use std::fs;
use std::path::Path;

use redb::{
    Durability, Key as RedbKey, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, Value, WriteTransaction,
};

use crate::config::StorePath;
use crate::session::StoreError;
use crate::store::embedded::database::folder::FRESH;
use crate::store::embedded::database::schema::{ENDED, Key, SESSIONS, USERS, failed};
use crate::store::embedded::database::{Database, Failure, OpenFile, open_file};

/// A file up to this size is left as it is.
const SMALL: u64 = 8 << 20;
/// How many times larger than what is alive a file must be; the database's own structure takes less than the rest.
const COMPACT_RATIO: u64 = 4;
/// No more than so many rows and bytes are copied: nothing else is written meanwhile.
const MOST_ROWS: u64 = 50_000;
const MOST_BYTES: u64 = 64 << 20;

impl Database {
    /// Writes what is alive into a new file and puts it in the place of the old one, if that is far too large.
    ///
    /// Readers go on meanwhile. Only for the thread that writes: what others wrote in between would be lost.
    pub(crate) fn compact(&self) -> Result<(), StoreError> {
        let StorePath::Folder(folder) = self.location() else {
            return Ok(());
        };
        let size = self.size().map_err(|error| no_room(&error))?;
        if size <= SMALL {
            return Ok(());
        }
        let database = self.database()?;
        let reading = database.begin_read().map_err(failed)?;
        match alive(&reading)? {
            Some(bytes) if size > COMPACT_RATIO * bytes => {}
            _ => return Ok(()),
        }
        let fresh = folder.join(FRESH);
        let done = begin(&fresh, self.cache_bytes())
            .map_err(|error| no_room(&error))
            .and_then(|file| copy(&reading, &file).map(|()| file))
            .and_then(|file| {
                let replaced = self.replace(file, &fresh);
                replaced.map_err(|error| no_room(&error))
            });
        if done.is_err() {
            // What little room there may be left on the disk is not for half a copy.
            drop(fs::remove_file(&fresh));
        }
        done
    }
}

fn no_room(error: &dyn std::error::Error) -> StoreError {
    StoreError::Failed(format!("its file could not be made smaller: {error}"))
}

/// How many bytes the rows take; `None` if it is too much to copy.
fn alive(reading: &ReadTransaction) -> Result<Option<u64>, StoreError> {
    let sessions = reading.open_table(SESSIONS).map_err(failed)?;
    let endings = reading.open_table(ENDED).map_err(failed)?;
    if sessions.len().map_err(failed)? + endings.len().map_err(failed)? > MOST_ROWS {
        return Ok(None);
    }
    let mut bytes = 0;
    for row in sessions.iter().map_err(failed)? {
        let (_, value) = row.map_err(failed)?;
        // Twice the key: it stands in its user's list, too.
        bytes += value.value().1.len() + 2 * size_of::<Key>();
    }
    for row in endings.iter().map_err(failed)? {
        let (_, value) = row.map_err(failed)?;
        bytes += value.value().1.len() + size_of::<Key>();
    }
    Ok(u64::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= MOST_BYTES))
}

fn begin(fresh: &Path, cache_bytes: usize) -> Result<OpenFile, Failure> {
    // Left behind by a process that did not get to the end.
    drop(fs::remove_file(fresh));
    open_file(fresh, cache_bytes)
}

fn copy(reading: &ReadTransaction, to: &OpenFile) -> Result<(), StoreError> {
    let mut writing = to.database.begin_write().map_err(failed)?;
    writing
        .set_durability(Durability::Immediate)
        .map_err(failed)?;
    copy_table(reading, &writing, to, SESSIONS)?;
    copy_table(reading, &writing, to, USERS)?;
    copy_table(reading, &writing, to, ENDED)?;
    writing.commit().map_err(failed)?;
    to.check_written()
}

fn copy_table<K: RedbKey + 'static, V: Value + 'static>(
    reading: &ReadTransaction,
    writing: &WriteTransaction,
    file: &OpenFile,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    let from = reading.open_table(table).map_err(failed)?;
    let mut to = writing.open_table(table).map_err(failed)?;
    for row in from.iter().map_err(failed)? {
        // Once the disk is full, all that follows would be kept in memory.
        file.check_written()?;
        let (key, value) = row.map_err(failed)?;
        to.insert(key.value(), value.value()).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_for_which_there_is_no_room_is_given_up() {
        let [old, new] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        let location = StorePath::Folder(old.path().to_owned());
        let database = Database::at(&location, 1 << 20).unwrap();
        let database = database.database().unwrap();
        let writing = database.begin_write().unwrap();
        let mut sessions = writing.open_table(SESSIONS).unwrap();
        sessions.insert(&[1; 32], (1, b"{}".as_slice())).unwrap();
        drop(sessions);
        writing.commit().unwrap();

        let reading = database.begin_read().unwrap();
        let fresh = begin(&new.path().join(FRESH), 1 << 20).unwrap();
        copy(&reading, &fresh).unwrap();
        fresh.fail();
        let writing = fresh.database.begin_write().unwrap();
        let given_up = copy_table(&reading, &writing, &fresh, SESSIONS);
        assert!(given_up.is_err());
    }
}
