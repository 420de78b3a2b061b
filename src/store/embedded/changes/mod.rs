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
pub(crate) mod version_1;

use std::time::{Duration, SystemTime};

use redb::{ReadableTable, Table, WriteTransaction};

use self::pending_expiry::PendingExpiries;
use self::record::Record;
use crate::session::StoreError;
use crate::store::embedded::database::schema::{
    ENDED, ENDS, EndKey, Key, SESSIONS, USERS, end_key, failed, unix_millis,
};

/// The tables inside one transaction.
pub(crate) struct Tables<'t> {
    /// For the tables that few changes need, which open them.
    transaction: &'t WriteTransaction,
    sessions: Table<'t, &'static Key, &'static [u8]>,
    ends: Table<'t, &'static EndKey, u64>,
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
            ends: transaction.open_table(ENDS).map_err(failed)?,
            users: transaction.open_table(USERS).map_err(failed)?,
            ended: transaction.open_table(ENDED).map_err(failed)?,
            pending,
            now,
            ended_ttl,
        })
    }

    /// Sets the expiry of a session, if it is still there.
    pub(crate) fn set_expiry(&mut self, key: &Key, expires_at: u64) -> Result<(), StoreError> {
        let end = self.ends.get_mut(&end_key(key)).map_err(failed)?;
        end.map_or(Ok(()), |mut end| end.insert(expires_at).map_err(failed))
    }

    /// Forgets why a session ended.
    pub(crate) fn remove_ended(&mut self, key: &Key) -> Result<(), StoreError> {
        self.ended.remove(key).map(drop).map_err(failed)
    }

    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let row = self.sessions.get(key).map_err(failed)?;
        row.map(|row| Record::from_bytes(row.value())).transpose()
    }

    fn write_record(&mut self, key: &Key, record: &Record) -> Result<(), StoreError> {
        let inserted = self.sessions.insert(key, record.to_bytes().as_slice());
        inserted.map(drop).map_err(failed)
    }

    fn is_alive(&self, key: &Key) -> Result<bool, StoreError> {
        // The end of a key is another session's, if the first halves agree.
        if self.sessions.get(key).map_err(failed)?.is_none() {
            return Ok(false);
        }
        let end = self.ends.get(&end_key(key)).map_err(failed)?;
        Ok(end.is_some_and(|end| {
            let expires_at = self.pending.get(key).unwrap_or(end.value());
            unix_millis(self.now) < expires_at
        }))
    }
}
