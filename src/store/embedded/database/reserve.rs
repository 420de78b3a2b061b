//! Room on the disk that is kept for the file, so that sessions can be ended when the disk is full.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// How much room is allocated to the file beyond the last byte that was written.
///
/// redb never overwrites what is committed, so ending a session needs new pages too, about twenty of 4 KiB; two
/// commits later they are free again. With this much, ending goes on when the disk is full.
const RESERVE_BYTES: u64 = 4 << 20;

/// Where the disk has less room, the reserve is smaller in these steps.
const STEP_BYTES: u64 = RESERVE_BYTES / 16;

#[derive(Debug)]
pub(crate) struct Reserve {
    room: Mutex<Room>,
    is_full: AtomicBool,
}

/// Offsets in the file.
#[derive(Debug)]
struct Room {
    written_to: u64,
    /// Where the allocated blocks end. `u64::MAX`: the file system cannot allocate ahead.
    allocated_to: u64,
}

impl Reserve {
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        let end = end_of_data(file)?;
        Ok(Self {
            room: Mutex::new(Room {
                written_to: end,
                allocated_to: end,
            }),
            is_full: AtomicBool::new(false),
        })
    }

    /// Whether the disk has no room but the reserve.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub(crate) fn set_full(&self) {
        self.is_full.store(true, Ordering::Relaxed);
    }

    /// Whether the file system can allocate room beyond the end of a file.
    pub(crate) fn is_supported(&self) -> bool {
        self.room().allocated_to != u64::MAX
    }

    /// Allocates room ahead of the last byte written, and notes whether there was enough.
    pub(crate) fn refill(&self, file: &File) {
        let mut room = self.room();
        let needed = room.written_to.saturating_add(RESERVE_BYTES);
        if room.allocated_to >= needed {
            self.is_full.store(false, Ordering::Relaxed);
            return;
        }
        // First twice the reserve, so that not every write allocates. Where the disk has less, as much as there is: on
        // a full disk a truncated file gets back a little less than it returned, if some of that was in use.
        let ends = [needed.saturating_add(RESERVE_BYTES), needed];
        let smaller = (1..RESERVE_BYTES / STEP_BYTES).map(|steps| needed - steps * STEP_BYTES);
        for end in ends.into_iter().chain(smaller) {
            if end <= room.allocated_to {
                break;
            }
            match allocate(file, room.allocated_to, end) {
                Ok(()) => {
                    room.allocated_to = end;
                    break;
                }
                Err(error) if is_out_of_room(&error) => {}
                // Not supported (NFS 3, say): a full disk is noticed when a write fails.
                Err(_) => {
                    room.allocated_to = u64::MAX;
                    return;
                }
            }
        }
        let is_full = room.allocated_to < needed;
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Called before a write that ends at this offset.
    pub(crate) fn extend_to(&self, end: u64, file: &File) {
        let mut room = self.room();
        room.written_to = room.written_to.max(end);
        let is_short = room.allocated_to < room.written_to.saturating_add(RESERVE_BYTES);
        drop(room);
        // Once the disk is full, the writer's thread tries once a second, and not each write.
        if is_short && !self.is_full() {
            self.refill(file);
        }
    }

    /// Truncating a file returns the room beyond its end to the disk, the reserve too. On a full disk another process
    /// takes it in the next moment, so it is allocated again at once.
    pub(crate) fn truncate_to(&self, len: u64, file: &File) {
        let mut room = self.room();
        room.written_to = room.written_to.min(len);
        if room.allocated_to != u64::MAX {
            room.allocated_to = room.allocated_to.min(len);
        }
        drop(room);
        self.refill(file);
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No room on the disk, in the owner's quota, or within the largest size that a file may have.
pub(crate) fn is_out_of_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// The length of the file stays: redb takes a file that is longer than it left it for a damaged one.
#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let length = to.saturating_sub(from);
    Ok(fallocate(file, FallocateFlags::KEEP_SIZE, from, length)?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Where the last written byte is: redb doubles its file when it needs more, and most of that is a hole.
fn end_of_data(file: &File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let mut end = 0;
    loop {
        match seek(file, SeekFrom::Data(end)) {
            Ok(data) => end = seek(file, SeekFrom::Hole(data))?,
            Err(Errno::NXIO) => return Ok(end),
            // The file system has no `SEEK_DATA`.
            Err(_) => return Ok(len),
        }
        if end >= len {
            return Ok(len);
        }
    }
}
