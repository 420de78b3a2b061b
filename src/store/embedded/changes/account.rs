//! Changes to accounts and invitations. A change that fails with [`StoreError::Unreadable`] has changed nothing.

use redb::ReadableTable;

use super::Tables;
use super::account_record::{AccountRecord, InvitationRecord};
use crate::account::{Account, SetPassword};
use crate::session::StoreError;
use crate::store::embedded::database::schema::{ACCOUNTS, INVITATIONS, Key, failed, unix_millis};

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
        change: &Key,
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

    pub(crate) fn remove_account(&mut self, user: &str) -> Result<bool, StoreError> {
        let mut table = self.transaction.open_table(ACCOUNTS).map_err(failed)?;
        let removed = table.remove(user).map_err(failed)?;
        Ok(removed.is_some())
    }

    pub(crate) fn invite(
        &mut self,
        token: &Key,
        until: u64,
        record: &InvitationRecord,
    ) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(INVITATIONS).map_err(failed)?;
        let bytes = record.to_bytes()?;
        table
            .insert(token, (until, bytes.as_slice()))
            .map(drop)
            .map_err(failed)
    }

    /// Removes the invitation, and returns it if it has not expired.
    pub(crate) fn take_invitation(
        &mut self,
        token: &Key,
    ) -> Result<Option<InvitationRecord>, StoreError> {
        let mut table = self.transaction.open_table(INVITATIONS).map_err(failed)?;
        let Some(row) = table.remove(token).map_err(failed)? else {
            return Ok(None);
        };
        let (until, bytes) = row.value();
        let is_valid = unix_millis(self.now) < until;
        is_valid
            .then(|| InvitationRecord::from_bytes(bytes))
            .transpose()
    }
}
