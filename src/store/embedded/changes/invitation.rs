//! The sweep of invitations.

use super::Tables;
use crate::session::StoreError;
use crate::store::embedded::database::schema::{INVITATIONS, Key, failed};

impl Tables<'_> {
    pub(crate) fn remove_invitations(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(INVITATIONS).map_err(failed)?;
        for key in keys {
            table.remove(key).map_err(failed)?;
        }
        Ok(())
    }
}
