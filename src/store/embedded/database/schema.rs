//! The tables of the file.

use std::time::SystemTime;

use redb::{
    ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle,
    WriteTransaction,
};

use crate::clock::unix_time;
use crate::session::StoreError;

/// A session's handle, so that a copied file contains no id.
pub(crate) type Key = [u8; 16];
/// The first half of a session's key: with twice as much, each second's slides would rewrite twice as many pages.
/// `Tables::create` sees to it that no two sessions share it.
pub(crate) type EndKey = [u8; 8];
/// The SHA-256 of a secret.
pub(crate) type Digest = [u8; 32];

/// Rises whenever an older program could not use the file, or misunderstood it. The first version had no such table.
pub(crate) const FORMAT_VERSION: u32 = 2;
pub(crate) const FORMAT: TableDefinition<'_, (), u32> = TableDefinition::new("format");

/// Key -> the session as a `Record`.
pub(crate) const SESSIONS: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("sessions");
/// First half of a session's key -> its expiry in milliseconds since 1970. All that a slide changes.
pub(crate) const ENDS: TableDefinition<'_, &EndKey, u64> = TableDefinition::new("ends");
/// (user, creation in microseconds since 1970, key): the users' lists, the oldest session first.
pub(crate) const USERS: TableDefinition<'_, (&str, u64, &Key), ()> = TableDefinition::new("users");
/// Key of an ended session -> (when to forget it in milliseconds since 1970, an `EndedSession` as JSON).
pub(crate) const ENDED: TableDefinition<'_, &Key, (u64, &[u8])> = TableDefinition::new("endings");

/// User -> the account as JSON. Here whatever the features are: a build without accounts must not lose them.
pub(crate) const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
/// Digest of an invitation's secret -> (expiry in milliseconds since 1970, the invitation as JSON).
pub(crate) const INVITATIONS: TableDefinition<'_, &Digest, (u64, &[u8])> =
    TableDefinition::new("invitations");
/// Digest of a browser's cookie -> (expiry in milliseconds since 1970, its users as JSON).
pub(crate) const KNOWN_DEVICES: TableDefinition<'_, &Digest, (u64, &[u8])> =
    TableDefinition::new("known_devices");

/// The version of a file's tables; `None`: it has none.
pub(crate) fn version(database: &redb::Database) -> Result<Option<u32>, redb::Error> {
    let reading = database.begin_read()?;
    match reading.open_table(FORMAT) {
        Ok(table) => Ok(table.get(())?.map(|version| version.value())),
        Err(TableError::TableDoesNotExist(_)) => {
            let mut tables = reading.list_tables()?;
            Ok(tables
                .any(|table| table.name() == SESSIONS.name())
                .then_some(1))
        }
        Err(error) => Err(error.into()),
    }
}

/// A reader cannot open a table that no writer has created. Where all are there, nothing is written, so that a full
/// disk does not prevent the start.
pub(crate) fn create_tables(database: &redb::Database) -> Result<(), redb::Error> {
    if has_tables(&database.begin_read()?) {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    open_tables(&transaction)?;
    transaction.open_table(FORMAT)?.insert((), FORMAT_VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn has_tables(reading: &ReadTransaction) -> bool {
    reading.open_table(SESSIONS).is_ok()
        && reading.open_table(ENDS).is_ok()
        && reading.open_table(USERS).is_ok()
        && reading.open_table(ENDED).is_ok()
        && reading.open_table(ACCOUNTS).is_ok()
        && reading.open_table(INVITATIONS).is_ok()
        && reading.open_table(KNOWN_DEVICES).is_ok()
}

fn open_tables(writing: &WriteTransaction) -> Result<(), redb::Error> {
    writing.open_table(SESSIONS)?;
    writing.open_table(ENDS)?;
    writing.open_table(USERS)?;
    writing.open_table(ENDED)?;
    writing.open_table(ACCOUNTS)?;
    writing.open_table(INVITATIONS)?;
    writing.open_table(KNOWN_DEVICES)?;
    Ok(())
}

pub(crate) fn end_key(key: &Key) -> EndKey {
    key.first_chunk().copied().unwrap_or_default()
}

/// A user's sessions, the oldest first; from either kind of transaction.
pub(crate) fn keys_of(
    users: &impl ReadableTable<(&'static str, u64, &'static Key), ()>,
    user: &str,
) -> Result<Vec<Key>, StoreError> {
    let (first, last) = ([0; 16], [u8::MAX; 16]);
    users
        .range((user, 0, &first)..=(user, u64::MAX, &last))
        .map_err(failed)?
        .map(|row| row.map(|(key, _)| *key.value().2).map_err(failed))
        .collect()
}

/// Milliseconds since 1970, in which the tables count time.
pub(crate) fn unix_millis(timestamp: SystemTime) -> u64 {
    u64::try_from(unix_time(timestamp).as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Failed(error.into().to_string())
}
