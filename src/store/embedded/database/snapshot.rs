//! The tables after the last commit, for readers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use redb::{ReadOnlyTable, ReadTransaction, ReadableDatabase};

use super::error::panic_message;
use super::open_file::OpenFile;
use super::schema::{ENDS, EndKey, Key, SESSIONS, end_key, failed};
use crate::session::StoreError;

/// Kept from one commit to the next, because opening a table costs more than reading a row of it.
///
/// A reader holds an [`Arc`] of it as long as it reads: dropping the database would break off the read.
pub(crate) struct Snapshot {
    pub(crate) sessions: ReadOnlyTable<&'static Key, &'static [u8]>,
    pub(crate) ends: ReadOnlyTable<&'static EndKey, u64>,
    /// The other tables in the same state. (The database may be ahead of it: after a failed write it believes in a
    /// commit that is not in the file.)
    pub(crate) transaction: ReadTransaction,
    pub(crate) file: Arc<OpenFile>,
}

impl Snapshot {
    pub(crate) fn new(file: Arc<OpenFile>) -> Result<Self, redb::Error> {
        let transaction = file.database.begin_read()?;
        Ok(Self {
            sessions: transaction.open_table(SESSIONS)?,
            ends: transaction.open_table(ENDS)?,
            transaction,
            file,
        })
    }

    /// The expiry of a session that is there, without the pending ones.
    pub(crate) fn expiry(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        let end = self.ends.get(&end_key(key)).map_err(failed)?;
        Ok(end.map(|end| end.value()))
    }

    /// Waits for the readers, and closes the database.
    pub(crate) fn close(self: Arc<Self>) {
        let Self {
            sessions,
            ends,
            transaction,
            file,
        } = unwrap_when_unshared(self);
        drop((sessions, ends, transaction));
        let OpenFile { database, disk } = unwrap_when_unshared(file);
        // The database may have panicked a moment ago.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(database))) {
            let error = panic_message(&*panic);
            tracing::warn!(error, "the database could not be closed");
        }
        drop(disk);
    }
}

fn unwrap_when_unshared<T>(mut shared: Arc<T>) -> T {
    let mut tries = 0_u32;
    loop {
        match Arc::try_unwrap(shared) {
            Ok(value) => return value,
            Err(still_shared) => shared = still_shared,
        }
        tries += 1;
        // A read takes microseconds; one that takes longer waits for the disk.
        if tries < 100 {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
