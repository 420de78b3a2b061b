//! Gives room on disk back that sessions needed which are over: the database reuses it, but never returns it.

use std::fs;
use std::path::Path;

use redb::{
    Database, Durability, Key as RedbKey, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, Value, WriteTransaction,
};

use super::failed;
use super::file::{FRESH, Storage, open_file};
use super::tables::{ENDINGS, SESSIONS, USERS};
use crate::config::Location;
use crate::session::StoreError;

/// A file up to this size is left as it is.
const SMALL: u64 = 8 << 20;
/// More than a row takes, its share of the tree and a long `User-Agent` included.
const ROW: u64 = 1 << 10;
/// How many times larger than needed a file must be.
const TIMES: u64 = 4;

impl Storage {
    /// Writes what is alive into a new file and puts it in the place of the old one, if that is far too large.
    ///
    /// Readers go on meanwhile. Only for the thread that writes: what others wrote in between would be lost.
    pub(super) fn shrink(&self) -> Result<(), StoreError> {
        let Location::Folder(folder) = self.location() else {
            return Ok(());
        };
        let old = self.database()?;
        let reading = old.begin_read().map_err(failed)?;
        let size = self.size().map_err(|error| no_room(&error))?;
        let needed = rows(&reading)? * ROW;
        if size <= SMALL.max(TIMES * needed) {
            return Ok(());
        }
        let fresh = folder.join(FRESH);
        let database = begin(&fresh).map_err(|error| no_room(&error))?;
        copy(&reading, &database)?;
        drop(reading);
        self.replace(database, &fresh)
            .map_err(|error| no_room(&error))
    }
}

fn no_room(error: &dyn std::error::Error) -> StoreError {
    StoreError::Failed(format!("its file could not be made smaller: {error}"))
}

fn rows(reading: &ReadTransaction) -> Result<u64, StoreError> {
    let sessions = reading.open_table(SESSIONS).map_err(failed)?;
    let endings = reading.open_table(ENDINGS).map_err(failed)?;
    Ok(sessions.len().map_err(failed)? + endings.len().map_err(failed)?)
}

fn begin(fresh: &Path) -> Result<Database, redb::Error> {
    // Left behind by a process that did not get to the end.
    drop(fs::remove_file(fresh));
    open_file(fresh)
}

fn copy(reading: &ReadTransaction, to: &Database) -> Result<(), StoreError> {
    let mut writing = to.begin_write().map_err(failed)?;
    writing
        .set_durability(Durability::Immediate)
        .map_err(failed)?;
    copy_table(reading, &writing, SESSIONS)?;
    copy_table(reading, &writing, USERS)?;
    copy_table(reading, &writing, ENDINGS)?;
    writing.commit().map_err(failed)
}

fn copy_table<K: RedbKey + 'static, V: Value + 'static>(
    reading: &ReadTransaction,
    writing: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    let from = reading.open_table(table).map_err(failed)?;
    let mut to = writing.open_table(table).map_err(failed)?;
    for row in from.iter().map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        to.insert(key.value(), value.value()).map_err(failed)?;
    }
    Ok(())
}
