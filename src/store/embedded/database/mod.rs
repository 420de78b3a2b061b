//! The embedded store's file: opened, read, committed to, opened again after a failure.

mod compact;
mod disk;
pub(crate) mod error;
pub(crate) mod folder;
mod open_file;
mod reserve;
pub(crate) mod schema;
mod snapshot;
pub(crate) mod upgrade;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use redb::{Durability, WriteTransaction};

use self::disk::Disk;
use self::error::{Failure, OpenError, catch_panic};
pub(crate) use self::open_file::OpenFile;
use self::schema::failed;
pub(crate) use self::snapshot::Snapshot;
use self::upgrade::CopyRows;
use crate::config::StorePath;
use crate::session::StoreError;

/// The open database, which `reopen` and `compact` replace while it is read.
pub(crate) struct Database {
    path: StorePath,
    cache_bytes: usize,
    /// `None` once it is closed.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// A file has been renamed, and a crash might undo that.
    is_unsynced: AtomicBool,
    /// The error of the last read that failed, which should not happen.
    read_failure: Mutex<Option<String>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.path).finish()
    }
}

impl Database {
    /// `copy_rows` is used if an older version has written the file; without it such a file is left as it is.
    pub(crate) fn open(
        path: &StorePath,
        cache_bytes: usize,
        copy_rows: Option<CopyRows>,
    ) -> Result<Self, OpenError> {
        let opened = match path {
            StorePath::Memory => OpenFile::in_memory(cache_bytes),
            StorePath::Folder(folder) => folder::make_private(folder)
                .map_err(Failure::from)
                .and_then(|()| upgrade::open(folder, cache_bytes, copy_rows)),
        };
        let snapshot = opened
            .and_then(first_snapshot)
            .map_err(|failure| OpenError::new(path, failure))?;
        Ok(Self {
            path: path.clone(),
            cache_bytes,
            snapshot: RwLock::new(Some(snapshot)),
            // A process may have ended between the two.
            is_unsynced: AtomicBool::new(true),
            read_failure: Mutex::default(),
        })
    }

    /// The last committed snapshot.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot
            .clone()
            .ok_or_else(|| StoreError::Failed("it is closed".to_owned()))
    }

    /// Reads the last committed snapshot. Do not nest calls: [`reopen`](Self::reopen) waits for every reader, so a
    /// nested read would deadlock.
    ///
    /// redb panics over some damaged pages; a panic becomes an error. After a failed read redb refuses every other one,
    /// until the file is opened again.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let snapshot = self.snapshot()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&snapshot)))
            .unwrap_or_else(|_| Err(StoreError::Failed("its file is damaged".to_owned())));
        if let Err(StoreError::Failed(error)) = &outcome {
            *self.read_failure() = Some(error.clone());
        }
        outcome
    }

    /// The error of a read that has failed since the last call.
    pub(crate) fn take_read_failure(&self) -> Option<StoreError> {
        self.read_failure().take().map(StoreError::Failed)
    }

    /// Makes changes in one transaction. When this returns `Ok`, they are on disk, and readers see them.
    pub(crate) fn commit<T>(
        &self,
        change: impl FnOnce(&WriteTransaction, &OpenFile) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.sync_folder()
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let snapshot = self.snapshot()?;
        let mut transaction = snapshot.file.database.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        let changed = change(&transaction, &snapshot.file)?;
        transaction.commit().map_err(failed)?;
        snapshot.file.check_written()?;
        let refreshed = Snapshot::new(Arc::clone(&snapshot.file)).map_err(failed)?;
        *self.lock() = Some(Arc::new(refreshed));
        Ok(changed)
    }

    /// A renamed file whose folder was never synced may be the old one again after a crash, without what has been
    /// committed since. So nothing is committed before this has succeeded.
    fn sync_folder(&self) -> io::Result<()> {
        if let StorePath::Folder(folder) = &self.path
            && self.is_unsynced.load(Ordering::Relaxed)
        {
            folder::sync(folder)?;
            self.is_unsynced.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Opens the file again: after a failed write (a full disk, say) redb accepts no other. That takes long, because
    /// redb reads every page. Meanwhile, and if it fails, readers go on with the last snapshot.
    ///
    /// Does nothing in memory, where no write fails and the sessions would be lost.
    pub(crate) fn reopen(&self) -> Result<(), OpenError> {
        let Some(disk) = self.disk() else {
            return Ok(());
        };
        // Two databases must not write to one file.
        disk.fail(io::Error::other("another database has taken over"));
        let snapshot = OpenFile::reopen(&disk, self.cache_bytes)
            .and_then(first_snapshot)
            .map_err(|failure| OpenError::new(&self.path, failure))?;
        let old = self.lock().replace(snapshot);
        // A snapshot of the old one is safe to read only until the new one writes.
        if let Some(old) = old {
            old.close();
        }
        // A failed read was the old database's.
        self.read_failure().take();
        Ok(())
    }

    /// Waits for the readers, and closes the database.
    pub(crate) fn close(&self) {
        let old = self.lock().take();
        if let Some(old) = old {
            old.close();
        }
    }

    /// Whether the disk has no room but the reserve.
    pub(crate) fn is_full(&self) -> bool {
        self.disk().is_some_and(|disk| disk.reserve.is_full())
    }

    /// Whether the file system can keep a reserve.
    pub(crate) fn has_reserve(&self) -> bool {
        self.disk().is_none_or(|disk| disk.reserve.is_supported())
    }

    pub(crate) fn refill_reserve(&self) {
        if let Some(disk) = self.disk() {
            disk.reserve.refill(&disk.file);
        }
    }

    /// `None` in memory.
    fn disk(&self) -> Option<Arc<Disk>> {
        self.snapshot().ok()?.file.disk.clone()
    }

    fn lock(&self) -> RwLockWriteGuard<'_, Option<Arc<Snapshot>>> {
        self.snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn read_failure(&self) -> MutexGuard<'_, Option<String>> {
        self.read_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn first_snapshot(file: OpenFile) -> Result<Arc<Snapshot>, Failure> {
    catch_panic(|| Ok(Arc::new(Snapshot::new(Arc::new(file))?)))
}
