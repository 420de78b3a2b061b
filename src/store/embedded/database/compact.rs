//! Returns the room of ended sessions to the disk: redb reuses pages, but never makes its file smaller.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use redb::{ReadTransaction, ReadableTableMetadata};

use super::folder::{COMPACTED_FILE_NAME, FILE_NAME};
use super::open_file::OpenFile;
use super::schema::{ACCOUNTS, ENDED, ENDS, INVITATIONS, KNOWN_DEVICES, SESSIONS, USERS, failed};
use super::{Database, first_snapshot};
use crate::config::StorePath;
use crate::session::StoreError;

/// A file up to this size is left as it is.
const MIN_FILE_BYTES: u64 = 8 << 20;
/// How many times larger than its live rows a file must be; redb's own structure takes less than the rest.
const COMPACT_RATIO: u64 = 4;
/// The most that is copied: nothing else is written meanwhile. A session has three rows.
const MAX_ROWS: u64 = 300_000;
const MAX_BYTES: u64 = 64 << 20;

impl Database {
    /// Replaces the file by a copy of its live rows, if it is far larger than these.
    ///
    /// Readers go on meanwhile. Only for the writer's thread: a commit in between would be lost.
    pub(crate) fn compact(&self) -> Result<(), StoreError> {
        let StorePath::Folder(folder) = &self.path else {
            return Ok(());
        };
        let metadata =
            fs::metadata(folder.join(FILE_NAME)).map_err(|error| not_compacted(&error))?;
        if metadata.len() <= MIN_FILE_BYTES {
            return Ok(());
        }
        let snapshot = self.snapshot()?;
        let live_bytes = live_bytes(&snapshot.transaction)?;
        if live_bytes.is_none_or(|bytes| metadata.len() <= COMPACT_RATIO * bytes) {
            return Ok(());
        }
        let path = folder.join(COMPACTED_FILE_NAME);
        let replaced = create(&path, self.cache_bytes)
            .and_then(|file| copy(&snapshot.transaction, &file).map(|()| file))
            .and_then(|file| self.replace(file, &path, folder));
        if replaced.is_err() {
            // On a nearly full disk half a copy must not take the last room.
            drop(fs::remove_file(&path));
        }
        replaced
    }

    /// Renames the copy over the file, and gives readers its database. Both files are open and locked meanwhile, so
    /// that another process finds the store in use.
    fn replace(&self, file: OpenFile, path: &Path, folder: &Path) -> Result<(), StoreError> {
        let snapshot = first_snapshot(file).map_err(|error| not_compacted(&error))?;
        self.is_unsynced.store(true, Ordering::Relaxed);
        fs::rename(path, folder.join(FILE_NAME)).map_err(|error| not_compacted(&error))?;
        *self.lock() = Some(snapshot);
        if let Err(error) = self.sync_folder() {
            tracing::error!(%error, "the session store's folder cannot be synced, and nothing is written until it can");
        }
        Ok(())
    }
}

fn not_compacted(error: &dyn std::error::Error) -> StoreError {
    StoreError::Failed(format!("its file could not be made smaller: {error}"))
}

/// How many bytes the rows take; `None` if it is too much to copy.
fn live_bytes(reading: &ReadTransaction) -> Result<Option<u64>, StoreError> {
    let (mut rows, mut tables) = (0, Vec::new());
    for table in reading.list_tables().map_err(failed)? {
        let table = reading.open_untyped_table(table).map_err(failed)?;
        rows += table.len().map_err(failed)?;
        tables.push(table);
    }
    if rows > MAX_ROWS {
        return Ok(None);
    }
    let mut bytes = 0;
    for table in tables {
        bytes += table.stats().map_err(failed)?.stored_bytes();
    }
    Ok((bytes <= MAX_BYTES).then_some(bytes))
}

fn create(path: &Path, cache_bytes: usize) -> Result<OpenFile, StoreError> {
    OpenFile::create_anew(path, cache_bytes).map_err(|error| not_compacted(&error))
}

fn copy(reading: &ReadTransaction, to: &OpenFile) -> Result<(), StoreError> {
    let writing = to.database.begin_write().map_err(failed)?;
    to.copy_table(reading, &writing, SESSIONS)?;
    to.copy_table(reading, &writing, ENDS)?;
    to.copy_table(reading, &writing, USERS)?;
    to.copy_table(reading, &writing, ENDED)?;
    to.copy_table(reading, &writing, ACCOUNTS)?;
    to.copy_table(reading, &writing, INVITATIONS)?;
    to.copy_table(reading, &writing, KNOWN_DEVICES)?;
    writing.commit().map_err(failed)?;
    to.check_written()
}

#[cfg(test)]
mod tests {
    use std::io;

    use redb::ReadableDatabase;

    use super::*;

    #[test]
    fn a_copy_without_room_for_it_is_given_up() {
        let [old, new] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        let path = StorePath::Folder(old.path().to_owned());
        let database = Database::open(&path, 1 << 20, None).unwrap();
        let snapshot = database.snapshot().unwrap();
        let writing = snapshot.file.database.begin_write().unwrap();
        let mut sessions = writing.open_table(SESSIONS).unwrap();
        sessions.insert(&[1; 16], b"row".as_slice()).unwrap();
        drop(sessions);
        writing.commit().unwrap();

        let reading = snapshot.file.database.begin_read().unwrap();
        let file = create(&new.path().join(COMPACTED_FILE_NAME), 1 << 20).unwrap();
        copy(&reading, &file).unwrap();
        let disk = file.disk.as_ref().unwrap();
        disk.fail(io::ErrorKind::StorageFull.into());
        let writing = file.database.begin_write().unwrap();
        let given_up = file.copy_table(&reading, &writing, SESSIONS);
        assert!(given_up.is_err());
    }

    #[test]
    fn a_copy_has_every_table_whole() {
        let folder = tempfile::tempdir().unwrap();
        let old = create(&folder.path().join(FILE_NAME), 1 << 20).unwrap();
        let writing = old.database.begin_write().unwrap();
        for table in [INVITATIONS, KNOWN_DEVICES] {
            let mut table = writing.open_table(table).unwrap();
            table.insert(&[1; 32], (1, b"{}".as_slice())).unwrap();
        }
        let mut sessions = writing.open_table(SESSIONS).unwrap();
        sessions.insert(&[1; 16], b"row".as_slice()).unwrap();
        let mut ends = writing.open_table(ENDS).unwrap();
        ends.insert(&[1; 8], 1).unwrap();
        let mut ended = writing.open_table(ENDED).unwrap();
        ended.insert(&[1; 16], (1, b"{}".as_slice())).unwrap();
        let mut accounts = writing.open_table(ACCOUNTS).unwrap();
        accounts.insert("amy", b"{}".as_slice()).unwrap();
        let mut users = writing.open_table(USERS).unwrap();
        users.insert(("amy", 1, &[1; 16]), ()).unwrap();
        drop((sessions, ends, ended, accounts, users));
        writing.commit().unwrap();

        let reading = old.database.begin_read().unwrap();
        let new = create(&folder.path().join(COMPACTED_FILE_NAME), 1 << 20).unwrap();
        copy(&reading, &new).unwrap();
        let copied = new.database.begin_read().unwrap();
        let rows = |transaction: &ReadTransaction| -> Vec<_> {
            let mut rows: Vec<_> = transaction
                .list_tables()
                .unwrap()
                .map(|table| {
                    let name = redb::TableHandle::name(&table).to_owned();
                    let table = transaction.open_untyped_table(table).unwrap();
                    (name, table.len().unwrap())
                })
                .collect();
            rows.sort();
            rows
        };
        let before = rows(&reading);
        assert!(before.iter().all(|(_, rows)| *rows == 1), "{before:?}");
        assert_eq!(before, rows(&copied));
        assert!(live_bytes(&copied).unwrap() > Some(0));
    }
}
