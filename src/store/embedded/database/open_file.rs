//! A redb database in its file, with its tables.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{
    Builder, Key as RedbKey, ReadOnlyTable, ReadTransaction, ReadableTable, StorageBackend,
    TableDefinition, TableError, Value, WriteTransaction,
};

use super::disk::{Backend, Disk};
use super::error::{Failure, catch_panic};
use super::folder::open_private;
use super::schema::{FORMAT_VERSION, create_tables, failed, version};
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

    /// Opens the file with its tables, whose version may be another, and creates it if it is not there.
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, Failure> {
        Self::open_locked(path, open_private(path)?, cache_bytes)
    }

    /// An empty one, in place of what a process has left there that did not finish its copy.
    pub(crate) fn create_anew(path: &Path, cache_bytes: usize) -> Result<Self, Failure> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        Self::open(path, cache_bytes)?.with_tables()
    }

    /// Locks what was opened at the path, if it still is there: its last user may just have replaced it by another file.
    pub(crate) fn open_locked(
        path: &Path,
        file: File,
        cache_bytes: usize,
    ) -> Result<Self, Failure> {
        let is_checked = file.metadata()?.len() <= MAX_CHECKED_BYTES;
        let disk = Disk::new(file)?;
        let backend = Backend(Arc::clone(&disk));
        let opened = Self::new(backend, Some(Arc::clone(&disk)), cache_bytes, is_checked)?;
        if fs::metadata(path)?.ino() != disk.file.metadata()?.ino() {
            return Err(Failure::Redb(redb::Error::DatabaseAlreadyOpen));
        }
        Ok(opened)
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

    /// The version of its tables; `None`: it has none yet.
    pub(crate) fn version(&self) -> Result<Option<u32>, Failure> {
        catch_panic(|| Ok(version(&self.database)?))
    }

    /// Creates the tables that are not there.
    pub(crate) fn with_tables(self) -> Result<Self, Failure> {
        match self.version()? {
            None | Some(FORMAT_VERSION) => catch_panic(|| {
                create_tables(&self.database)?;
                self.checked()
            }),
            Some(other) => Err(Failure::Version(other)),
        }
    }

    /// Fails if a write has failed while redb opened the file, which [`Disk`] hides from redb.
    fn checked(self) -> Result<Self, Failure> {
        if let Some(disk) = &self.disk {
            disk.check()?;
        }
        Ok(self)
    }

    /// Copies a table of another file into this one.
    pub(crate) fn copy_table<K: RedbKey + 'static, V: Value + 'static>(
        &self,
        from: &ReadTransaction,
        to: &WriteTransaction,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        let mut copied = to.open_table(table).map_err(failed)?;
        self.each_row(from, table, |key, value| {
            copied.insert(key, value).map(drop).map_err(failed)
        })
    }

    /// Hands over every row of a table of another file, if it is there, to be written into this one.
    pub(crate) fn each_row<K: RedbKey + 'static, V: Value + 'static>(
        &self,
        from: &ReadTransaction,
        table: TableDefinition<'static, K, V>,
        mut row: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let table: ReadOnlyTable<K, V> = match from.open_table(table) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        for found in table.iter().map_err(failed)? {
            // Once the disk is full, all that follows would be kept in memory.
            self.check_written()?;
            let (key, value) = found.map_err(failed)?;
            row(key.value(), value.value())?;
        }
        Ok(())
    }

    /// Fails if a write to the file has failed, which [`Disk`] hides from redb.
    pub(crate) fn check_written(&self) -> Result<(), StoreError> {
        let written = self.disk.as_ref().map_or(Ok(()), |disk| disk.check());
        written.map_err(|error| StoreError::Failed(error.to_string()))
    }
}
