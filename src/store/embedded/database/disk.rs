//! The file as redb sees it. After a failure nothing is written any more, and redb reads its own writes from memory.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::reserve::{Reserve, is_out_of_room};

/// One open file, for one [`redb::Database`].
///
/// After the first write or sync that fails, nothing is written any more: the file stays as it was in that moment, with
/// the last commit whole on the disk. The failure is hidden from redb, which would refuse every further read, although
/// the snapshot that readers hold is intact: redb reuses a page only when no snapshot needs it. So
/// [`check`](Self::check) decides whether a commit has succeeded.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) file: File,
    /// The same open file again: its locks are this process's as long as either is open.
    locks: Arc<FileBackend>,
    pub(crate) reserve: Reserve,
    failure: OnceLock<io::Error>,
    /// A sync has failed, so the kernel may show pages that never reached the disk.
    is_unsynced: AtomicBool,
    unwritten: Mutex<Unwritten>,
}

/// The writes of redb after the failure, which the rest of its transaction may read.
#[derive(Debug, Default)]
struct Unwritten {
    pages: HashMap<u64, Box<[u8]>>,
    len: Option<u64>,
}

impl Disk {
    pub(crate) fn new(file: File) -> Result<Arc<Self>, redb::Error> {
        let locks = FileBackend::new(file.try_clone()?)?;
        Ok(Self::with_locks(file, Arc::new(locks))?)
    }

    /// The same file for another database, which takes over from this one's.
    pub(crate) fn reopen(&self) -> io::Result<Arc<Self>> {
        if self.is_unsynced.load(Ordering::Relaxed) {
            drop_cached_pages(&self.file)?;
        }
        Self::with_locks(self.file.try_clone()?, Arc::clone(&self.locks))
    }

    fn with_locks(file: File, locks: Arc<FileBackend>) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            reserve: Reserve::new(&file)?,
            file,
            locks,
            failure: OnceLock::new(),
            is_unsynced: AtomicBool::new(false),
            unwritten: Mutex::default(),
        }))
    }

    /// Returns the first failure, after which nothing has been written.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.failure.get() {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }

    /// From now on nothing is written.
    pub(crate) fn fail(&self, error: io::Error) {
        if is_out_of_room(&error) {
            self.reserve.set_full();
        }
        // The first failure is the cause of the others.
        drop(self.failure.set(error));
    }

    /// [`fail`](Self::fail), where a sync has failed. Linux then marks the unwritten pages as clean, shows them as long
    /// as they are cached, and reports no failure again: the database that takes over must not build on them.
    fn fail_to_sync(&self, error: io::Error) {
        self.is_unsynced.store(true, Ordering::Relaxed);
        self.fail(error);
    }

    fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    fn unwritten(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the next reads come from the disk.
#[cfg(target_os = "linux")]
fn drop_cached_pages(file: &File) -> io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same on every system")]
fn drop_cached_pages(_: &File) -> io::Result<()> {
    Ok(())
}

/// A [`Disk`] as redb uses it.
#[derive(Debug)]
pub(crate) struct Backend(pub(crate) Arc<Disk>);

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        if self.0.has_failed()
            && let Some(len) = self.0.unwritten().len
        {
            return Ok(len);
        }
        Ok(self.0.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        if self.0.has_failed()
            && let Some(page) = self.0.unwritten().pages.get(&offset)
            && page.len() == out.len()
        {
            out.copy_from_slice(page);
            return Ok(());
        }
        self.0.file.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let disk = &self.0;
        if !disk.has_failed() {
            let end = offset.saturating_add(data.len() as u64);
            disk.reserve.extend_to(end, &disk.file);
            match disk.file.write_all_at(data, offset) {
                Ok(()) => return Ok(()),
                Err(error) => disk.fail(error),
            }
        }
        disk.unwritten().pages.insert(offset, data.into());
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let disk = &self.0;
        if !disk.has_failed() {
            match set_len(&disk.file, len) {
                Ok(old_len) => {
                    if len <= old_len {
                        disk.reserve.truncate_to(len, &disk.file);
                    }
                    return Ok(());
                }
                Err(error) => disk.fail(error),
            }
        }
        disk.unwritten().len = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let disk = &self.0;
        if !disk.has_failed()
            && let Err(error) = disk.file.sync_data()
        {
            disk.fail_to_sync(error);
        }
        Ok(())
    }

    // Not `FileBackend::close`: it would release the locks, which the database that takes over holds too. They are
    // released when the last `Arc` of them is dropped.

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.locks.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.locks.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.locks.query_lock_range(start, end)
    }
}

/// Returns the old length.
fn set_len(file: &File, len: u64) -> io::Result<u64> {
    let old_len = file.metadata()?.len();
    file.set_len(len)?;
    Ok(old_len)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use super::*;

    fn is_in_memory(file: &File) -> bool {
        let mut byte = [0];
        let buffers = &mut [io::IoSliceMut::new(&mut byte)];
        let read = preadv2(file, buffers, 0, ReadWriteFlags::NOWAIT);
        if let Err(error) = read {
            assert_eq!(
                error,
                Errno::AGAIN,
                "the build folder's file system does not report cached pages"
            );
        }
        read.is_ok()
    }

    #[test]
    fn after_a_failed_sync_the_next_database_sees_what_is_on_the_disk() {
        // Next to the test itself, because the folder for temporary files may be in memory only.
        let program = std::env::current_exe().unwrap();
        let file = tempfile::tempfile_in(program.parent().unwrap()).unwrap();
        let disk = Disk::new(file).unwrap();
        let backend = Backend(Arc::clone(&disk));
        backend.write(0, &[7; 4096]).unwrap();
        backend.sync_data().unwrap();
        assert!(disk.check().is_ok());
        let again = disk.reopen().unwrap();
        assert!(is_in_memory(&again.file));

        again.fail_to_sync(Errno::IO.into());
        let again = again.reopen().unwrap();
        assert!(!is_in_memory(&again.file));
    }
}
