//! Changes to invitations, whose rows are JSON.

use super::Tables;
use crate::session::StoreError;
use crate::store::embedded::database::schema::{Digest, INVITATIONS, failed, unix_millis};

impl Tables<'_> {
    pub(crate) fn invite(
        &mut self,
        token: &Digest,
        until: u64,
        invitation: &[u8],
    ) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(INVITATIONS).map_err(failed)?;
        let inserted = table.insert(token, (until, invitation));
        inserted.map(drop).map_err(failed)
    }

    /// Removes the invitation, and returns it if it has not expired.
    pub(crate) fn take_invitation(
        &mut self,
        token: &Digest,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut table = self.transaction.open_table(INVITATIONS).map_err(failed)?;
        let row = table.remove(token).map_err(failed)?;
        let now = unix_millis(self.now);
        Ok(row.and_then(|row| {
            let (until, invitation) = row.value();
            (now < until).then(|| invitation.to_vec())
        }))
    }

    pub(crate) fn remove_invitations(&mut self, keys: &[Digest]) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(INVITATIONS).map_err(failed)?;
        for key in keys {
            table.remove(key).map_err(failed)?;
        }
        Ok(())
    }
}
