//! The tables of the file.

use std::time::SystemTime;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use crate::clock::unix_time;
use crate::session::StoreError;

/// The SHA-256 of a session's id, so that a copied file contains no id.
pub(crate) type Key = [u8; 32];

/// Key -> (expiry in milliseconds since 1970, the session as JSON).
pub(crate) const SESSIONS: TableDefinition<'_, &Key, (u64, &[u8])> =
    TableDefinition::new("sessions");
/// (user, creation in microseconds since 1970, key): the users' lists, the oldest session first.
pub(crate) const USERS: TableDefinition<'_, (&str, u64, &Key), ()> = TableDefinition::new("users");
/// Key of an ended session -> (when to forget it in milliseconds since 1970, an `EndedSession` as JSON).
pub(crate) const ENDED: TableDefinition<'_, &Key, (u64, &[u8])> = TableDefinition::new("endings");

/// User -> the account as JSON. Here whatever the features are: a build without accounts must not lose them.
pub(crate) const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
/// SHA-256 of an invitation's secret -> (expiry in milliseconds since 1970, the invitation as JSON).
pub(crate) const INVITATIONS: TableDefinition<'_, &Key, (u64, &[u8])> =
    TableDefinition::new("invitations");
/// SHA-256 of a browser's cookie -> (expiry in milliseconds since 1970, its users as JSON).
pub(crate) const KNOWN_DEVICES: TableDefinition<'_, &Key, (u64, &[u8])> =
    TableDefinition::new("known_devices");

/// A reader cannot open a table that no writer has created. Where all are there, nothing is written, so that a full
/// disk does not prevent the start.
pub(crate) fn create_tables(database: &redb::Database) -> Result<(), redb::Error> {
    let reading = database.begin_read()?;
    let are_there = reading.open_table(SESSIONS).is_ok()
        && reading.open_table(USERS).is_ok()
        && reading.open_table(ENDED).is_ok()
        && reading.open_table(ACCOUNTS).is_ok()
        && reading.open_table(INVITATIONS).is_ok()
        && reading.open_table(KNOWN_DEVICES).is_ok();
    if are_there {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    transaction.open_table(SESSIONS)?;
    transaction.open_table(USERS)?;
    transaction.open_table(ENDED)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(INVITATIONS)?;
    transaction.open_table(KNOWN_DEVICES)?;
    transaction.commit()?;
    Ok(())
}

/// A user's sessions, the oldest first; from either kind of transaction.
pub(crate) fn keys_of(
    users: &impl ReadableTable<(&'static str, u64, &'static Key), ()>,
    user: &str,
) -> Result<Vec<Key>, StoreError> {
    let (first, last) = ([0; 32], [u8::MAX; 32]);
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
