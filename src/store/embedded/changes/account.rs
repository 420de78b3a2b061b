//! Changes to accounts. A change that fails with [`StoreError::Unreadable`] has changed nothing.

use redb::ReadableTable;

use super::Tables;
use super::account_record::AccountRecord;
use crate::account::{Account, SetPassword};
use crate::session::StoreError;
use crate::store::embedded::database::schema::{ACCOUNTS, Digest, failed, unix_millis};

impl Tables<'_> {
    /// `false`: the name is taken by another account.
    pub(crate) fn add_account(&mut self, user: &str, new: &Account) -> Result<bool, StoreError> {
        let record = AccountRecord::new(new);
        let mut table = self.transaction.open_table(ACCOUNTS).map_err(failed)?;
        if let Some(row) = table.get(user).map_err(failed)? {
            let there = AccountRecord::from_bytes(row.value())?;
            return Ok(there.is_same(&record));
        }
        let bytes = record.to_bytes()?;
        table.insert(user, bytes.as_slice()).map_err(failed)?;
        Ok(true)
    }

    /// Changes an account's record; `None`: there is no account. It is written only if `change` says so.
    pub(crate) fn change_account<T>(
        &mut self,
        user: &str,
        change: impl FnOnce(&mut AccountRecord, u64) -> (T, bool),
    ) -> Result<Option<T>, StoreError> {
        let now = unix_millis(self.now);
        let mut table = self.transaction.open_table(ACCOUNTS).map_err(failed)?;
        let mut record = match table.get(user).map_err(failed)? {
            Some(row) => AccountRecord::from_bytes(row.value())?,
            None => return Ok(None),
        };
        let (answer, is_changed) = change(&mut record, now);
        if is_changed {
            let bytes = record.to_bytes()?;
            table.insert(user, bytes.as_slice()).map_err(failed)?;
        }
        Ok(Some(answer))
    }

    pub(crate) fn set_password(
        &mut self,
        user: &str,
        change: &Digest,
        password: &str,
        changed_micros: u64,
    ) -> Result<SetPassword, StoreError> {
        let outcome = self.change_account(user, |record, now| {
            if record.complete_change(change, password, changed_micros, now) {
                (SetPassword::Done, true)
            } else {
                (SetPassword::Superseded, false)
            }
        });
        Ok(outcome?.unwrap_or(SetPassword::NoAccount))
    }

    /// `created`: in microseconds since 1970.
    pub(crate) fn remove_account(&mut self, user: &str, created: u64) -> Result<bool, StoreError> {
        let mut table = self.transaction.open_table(ACCOUNTS).map_err(failed)?;
        let there = match table.get(user).map_err(failed)? {
            Some(row) => AccountRecord::from_bytes(row.value())?,
            None => return Ok(false),
        };
        if !there.was_created_at(created) {
            return Ok(false);
        }
        let removed = table.remove(user).map_err(failed)?;
        Ok(removed.is_some())
    }
}
