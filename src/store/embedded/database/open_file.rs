//! A redb database in its file, with its tables.

use std::path::Path;
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{Builder, StorageBackend};

use super::disk::{Backend, Disk};
use super::error::{Failure, catch_panic};
use super::folder::open_private;
use super::schema::create_tables;
use crate::session::StoreError;

/// A file up to this size is checked whole when it is opened, which takes a tenth of a second. (After a crash redb
/// checks a file of any size.)
const MAX_CHECKED_BYTES: u64 = 64 << 20;

pub(crate) struct OpenFile {
    pub(crate) database: redb::Database,
    /// `None` in memory.
    pub(crate) disk: Option<Arc<Disk>>,
}

impl OpenFile {
    pub(crate) fn in_memory(cache_bytes: usize) -> Result<Self, Failure> {
        Self::new(InMemoryBackend::new(), None, cache_bytes, false)?.with_tables()
    }

    /// Opens the file, and creates it if it is not there.
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, Failure> {
        let file = open_private(path)?;
        let is_checked = file.metadata()?.len() <= MAX_CHECKED_BYTES;
        let disk = Disk::new(file)?;
        let backend = Backend(Arc::clone(&disk));
        Self::new(backend, Some(disk), cache_bytes, is_checked)?.with_tables()
    }

    /// Opens a file that another database has open, without writing anything but its header.
    pub(crate) fn reopen(disk: &Disk, cache_bytes: usize) -> Result<Self, Failure> {
        let disk = disk.reopen()?;
        Self::new(Backend(Arc::clone(&disk)), Some(disk), cache_bytes, false)
    }

    fn new(
        backend: impl StorageBackend,
        disk: Option<Arc<Disk>>,
        cache_bytes: usize,
        check_integrity: bool,
    ) -> Result<Self, Failure> {
        catch_panic(|| {
            let database = Builder::new()
                .set_cache_size(cache_bytes)
                .set_check_integrity_on_open(check_integrity)
                .create_with_backend(backend)?;
            Self { database, disk }.checked()
        })
    }

    fn with_tables(self) -> Result<Self, Failure> {
        catch_panic(|| {
            create_tables(&self.database)?;
            self.checked()
        })
    }

    /// Fails if a write has failed while redb opened the file, which [`Disk`] hides from redb.
    fn checked(self) -> Result<Self, Failure> {
        if let Some(disk) = &self.disk {
            disk.check()?;
        }
        Ok(self)
    }

    /// Fails if a write to the file has failed, which [`Disk`] hides from redb.
    pub(crate) fn check_written(&self) -> Result<(), StoreError> {
        let written = self.disk.as_ref().map_or(Ok(()), |disk| disk.check());
        written.map_err(|error| StoreError::Failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use redb::ReadableDatabase;

    use super::super::schema::{ACCOUNTS, ENDED, INVITATIONS, KNOWN_DEVICES, SESSIONS, USERS};
    use super::*;

    #[test]
    fn an_older_versions_file_gets_the_new_tables_and_keeps_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions");
        let old = Builder::new().create(&path).unwrap();
        let writing = old.begin_write().unwrap();
        let mut sessions = writing.open_table(SESSIONS).unwrap();
        sessions.insert(&[1; 32], (1, b"{}".as_slice())).unwrap();
        drop(sessions);
        writing.open_table(USERS).unwrap();
        writing.open_table(ENDED).unwrap();
        writing.commit().unwrap();
        drop(old);

        for _ in 0..2 {
            let file = OpenFile::open(&path, 1 << 20).unwrap();
            let reading = file.database.begin_read().unwrap();
            reading.open_table(ACCOUNTS).unwrap();
            reading.open_table(INVITATIONS).unwrap();
            reading.open_table(KNOWN_DEVICES).unwrap();
            let sessions = reading.open_table(SESSIONS).unwrap();
            assert!(sessions.get(&[1; 32]).unwrap().is_some());
        }
    }
}
