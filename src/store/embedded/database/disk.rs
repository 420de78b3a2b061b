//! The file as the database sees it: it keeps room ahead of what is written, and holds still after a failure.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// How much room on the disk the file has for itself beyond the last byte that was written.
///
/// redb never overwrites what is committed, so ending a session needs new pages too, about twenty of 4 KiB; two
/// commits later they are free again. With this much, ending goes on when the disk is full, whoever filled it.
pub(crate) const RESERVE: u64 = 4 << 20;

/// In such steps less is asked for where the disk has not that much.
const STEP: u64 = RESERVE / 16;

/// One open file, for one [`redb::Database`].
///
/// After the first write or sync that fails, nothing is written any more: the file stays as it was in that moment, with
/// the last commit whole on the disk. redb is not told. It would refuse every further read, while the snapshot that readers hold is
/// untouched: redb reuses a page only when no snapshot needs it. Whoever commits must ask [`failure`](Self::failure)
/// before he believes it.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    /// The same open file again: its locks are this process's as long as either is open.
    locks: Arc<FileBackend>,
    room: Mutex<Room>,
    full: AtomicBool,
    failure: OnceLock<io::Error>,
    /// The kernel may show pages that never reached the disk.
    is_unsynced: AtomicBool,
    lost: Mutex<Lost>,
}

/// Offsets in the file.
#[derive(Debug)]
struct Room {
    written_to: u64,
    /// Up to here the disk has given its blocks to the file.
    allocated_to: u64,
}

/// What redb wrote after the failure, so that the rest of its transaction reads what it wrote.
#[derive(Debug, Default)]
struct Lost {
    pages: HashMap<u64, Box<[u8]>>,
    len: Option<u64>,
}

impl Disk {
    pub(crate) fn new(file: File) -> Result<Arc<Self>, redb::Error> {
        let locks = FileBackend::new(file.try_clone()?)?;
        Self::with_locks(file, Arc::new(locks))
    }

    /// The same file for another database, which takes over from the one that this was opened for.
    pub(crate) fn again(&self) -> Result<Arc<Self>, redb::Error> {
        if self.is_unsynced.load(Ordering::Relaxed) {
            forget_pages(&self.file)?;
        }
        Self::with_locks(self.file.try_clone()?, Arc::clone(&self.locks))
    }

    fn with_locks(file: File, locks: Arc<FileBackend>) -> Result<Arc<Self>, redb::Error> {
        let written_to = end_of_data(&file)?;
        Ok(Arc::new(Self {
            file,
            locks,
            room: Mutex::new(Room {
                written_to,
                allocated_to: written_to,
            }),
            full: AtomicBool::new(false),
            failure: OnceLock::new(),
            is_unsynced: AtomicBool::new(false),
            lost: Mutex::default(),
        }))
    }

    /// Why nothing is written any more.
    pub(crate) fn failure(&self) -> Option<&io::Error> {
        self.failure.get()
    }

    /// From now on nothing is written.
    pub(crate) fn fail(&self, error: io::Error) {
        if is_out_of_room(&error) {
            self.full.store(true, Ordering::Relaxed);
        }
        // The first one is the one that counts.
        drop(self.failure.set(error));
    }

    /// The same where a sync has failed. Linux takes what could not be written for written, shows it as long as it has
    /// it in memory, and tells of no failure again: the database that takes over must not build on that.
    fn fail_to_sync(&self, error: io::Error) {
        self.is_unsynced.store(true, Ordering::Relaxed);
        self.fail(error);
    }

    /// Whether the disk has no more room than what was kept for ending sessions.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether the file system gives no file any room beyond its end.
    pub(crate) fn has_no_reserve(&self) -> bool {
        self.room().allocated_to == u64::MAX
    }

    /// Asks the disk for room ahead of what is written, and remembers whether there was any.
    pub(crate) fn keep_room(&self) {
        let mut room = self.room();
        let needed = room.written_to.saturating_add(RESERVE);
        if room.allocated_to >= needed {
            self.full.store(false, Ordering::Relaxed);
            return;
        }
        // Twice as much as must be, so that it is not asked for at each write; and where there is less, as much of it as
        // there is: a disk that is full gives back a little less than a cut file gave, if some of that was in use.
        let less = (1..RESERVE / STEP).map(|steps| needed - steps * STEP);
        for end in [needed.saturating_add(RESERVE), needed]
            .into_iter()
            .chain(less)
        {
            if end <= room.allocated_to {
                break;
            }
            match self.allocate(room.allocated_to, end) {
                Ok(allocated_to) => {
                    room.allocated_to = allocated_to;
                    break;
                }
                Err(error) if is_out_of_room(&error) => {}
                // A file system that keeps no room for anybody (NFS 3, say): a full disk is noticed when a write fails.
                Err(_) => {
                    room.allocated_to = u64::MAX;
                    return;
                }
            }
        }
        let is_full = room.allocated_to < needed;
        self.full.store(is_full, Ordering::Relaxed);
    }

    /// The length of the file stays: redb takes a file that is longer than it left it for a damaged one.
    #[cfg(target_os = "linux")]
    fn allocate(&self, from: u64, to: u64) -> io::Result<u64> {
        use rustix::fs::{FallocateFlags, fallocate};
        let length = to.saturating_sub(from);
        fallocate(&self.file, FallocateFlags::KEEP_SIZE, from, length)?;
        Ok(to)
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "the same call on every system")]
    fn allocate(&self, _: u64, _: u64) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A write is about to reach this offset.
    fn extend_to(&self, end: u64) {
        let mut room = self.room();
        room.written_to = room.written_to.max(end);
        let is_short = room.allocated_to < room.written_to.saturating_add(RESERVE);
        drop(room);
        // Once the disk is full, the writing thread asks from time to time, and not each write.
        if is_short && !self.is_full() {
            self.keep_room();
        }
    }

    /// What is beyond a new end of the file goes back to the disk, the room that was kept there too. On a full disk
    /// somebody else takes it in the next moment, so it is asked for again at once.
    fn cut_to(&self, len: u64) {
        let mut room = self.room();
        room.written_to = room.written_to.min(len);
        if room.allocated_to != u64::MAX {
            room.allocated_to = room.allocated_to.min(len);
        }
        drop(room);
        self.keep_room();
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No room on the disk, in the owner's quota, or within the largest size that a file may have.
fn is_out_of_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Lets what is read next come from the disk.
#[cfg(target_os = "linux")]
fn forget_pages(file: &File) -> io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same on every system")]
fn forget_pages(_: &File) -> io::Result<()> {
    Ok(())
}

/// Says how long the file was.
fn set_len(file: &File, len: u64) -> io::Result<u64> {
    let had = file.metadata()?.len();
    file.set_len(len)?;
    Ok(had)
}

/// Where the last written byte is: redb makes its file twice as long when it needs more, and most of it is a hole.
fn end_of_data(file: &File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let mut end = 0;
    loop {
        match seek(file, SeekFrom::Data(end)) {
            Ok(data) => end = seek(file, SeekFrom::Hole(data))?,
            Err(Errno::NXIO) => return Ok(end),
            // A file system that does not tell.
            Err(_) => return Ok(len),
        }
        if end >= len {
            return Ok(len);
        }
    }
}

/// What redb is given of a [`Disk`].
#[derive(Debug)]
pub(crate) struct Backend(pub(crate) Arc<Disk>);

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        if self.0.failure().is_some()
            && let Some(len) = self.0.lost().len
        {
            return Ok(len);
        }
        Ok(self.0.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        if self.0.failure().is_some()
            && let Some(page) = self.0.lost().pages.get(&offset)
            && page.len() == out.len()
        {
            out.copy_from_slice(page);
            return Ok(());
        }
        self.0.file.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let disk = &self.0;
        if disk.failure().is_none() {
            disk.extend_to(offset.saturating_add(data.len() as u64));
            match disk.file.write_all_at(data, offset) {
                Ok(()) => return Ok(()),
                Err(error) => disk.fail(error),
            }
        }
        disk.lost().pages.insert(offset, data.into());
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let disk = &self.0;
        if disk.failure().is_none() {
            match set_len(&disk.file, len) {
                Ok(had) => {
                    if len <= had {
                        disk.cut_to(len);
                    }
                    return Ok(());
                }
                Err(error) => disk.fail(error),
            }
        }
        disk.lost().len = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let disk = &self.0;
        if disk.failure().is_none()
            && let Err(error) = disk.file.sync_data()
        {
            disk.fail_to_sync(error);
        }
        Ok(())
    }

    // Not `FileBackend::close`: it would give the locks back, which the database that takes over holds too. They go
    // with the last of them.

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

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use rustix::io::{ReadWriteFlags, preadv2};

    use super::*;

    fn is_in_memory(file: &File) -> bool {
        let mut byte = [0];
        let buffers = &mut [io::IoSliceMut::new(&mut byte)];
        let read = preadv2(file, buffers, 0, ReadWriteFlags::NOWAIT);
        if let Err(error) = read {
            assert_eq!(
                error,
                Errno::AGAIN,
                "the build folder's file system does not tell"
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
        assert!(disk.failure().is_none());
        let again = disk.again().unwrap();
        assert!(is_in_memory(&again.file));

        again.fail_to_sync(Errno::IO.into());
        let again = again.again().unwrap();
        assert!(!is_in_memory(&again.file));
    }
}
