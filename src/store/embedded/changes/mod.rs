//! The changes to the tables, inside a transaction of the writer.

#[cfg(feature = "password")]
mod account;
#[cfg(feature = "password")]
pub(crate) mod account_record;
pub(crate) mod device;
mod invitation;
pub(crate) mod pending_expiry;
pub(crate) mod record;
mod session;

use std::time::{Duration, SystemTime};

use redb::{ReadableTable, Table, WriteTransaction};

use self::pending_expiry::PendingExpiries;
use self::record::Record;
use crate::session::StoreError;
use crate::store::embedded::database::schema::{ENDED, Key, SESSIONS, USERS, failed, unix_millis};

/// The tables inside one transaction.
pub(crate) struct Tables<'t> {
    /// For the tables that few changes need, which open them.
    transaction: &'t WriteTransaction,
    sessions: Table<'t, &'static Key, (u64, &'static [u8])>,
    users: Table<'t, (&'static str, u64, &'static Key), ()>,
    ended: Table<'t, &'static Key, (u64, &'static [u8])>,
    pending: &'t PendingExpiries,
    /// When the change was asked for.
    pub(crate) now: SystemTime,
    ended_ttl: Duration,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(
        transaction: &'t WriteTransaction,
        pending: &'t PendingExpiries,
        now: SystemTime,
        ended_ttl: Duration,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            transaction,
            sessions: transaction.open_table(SESSIONS).map_err(failed)?,
            users: transaction.open_table(USERS).map_err(failed)?,
            ended: transaction.open_table(ENDED).map_err(failed)?,
            pending,
            now,
            ended_ttl,
        })
    }

    /// Sets the expiry of a session, if its row is still there.
    pub(crate) fn set_expiry(&mut self, key: &Key, expires_at: u64) -> Result<(), StoreError> {
        let row = self.sessions.get(key).map_err(failed)?;
        let Some(bytes) = row.map(|row| row.value().1.to_vec()) else {
            return Ok(());
        };
        self.insert(key, expires_at, &bytes)
    }

    /// Forgets why a session ended.
    pub(crate) fn remove_ended(&mut self, key: &Key) -> Result<(), StoreError> {
        self.ended.remove(key).map(drop).map_err(failed)
    }

    fn row(&self, key: &Key) -> Result<Option<(u64, Record)>, StoreError> {
        let Some(row) = self.sessions.get(key).map_err(failed)? else {
            return Ok(None);
        };
        let (expires_at, bytes) = row.value();
        Ok(Some((expires_at, Record::from_bytes(bytes)?)))
    }

    fn insert(&mut self, key: &Key, expires_at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let inserted = self.sessions.insert(key, (expires_at, bytes));
        inserted.map(drop).map_err(failed)
    }

    fn is_alive(&self, key: &Key) -> Result<bool, StoreError> {
        let row = self.sessions.get(key).map_err(failed)?;
        Ok(row.is_some_and(|row| {
            let expires_at = self.pending.get(key).unwrap_or(row.value().0);
            unix_millis(self.now) < expires_at
        }))
    }
}
