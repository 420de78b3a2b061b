//! The embedded store's file, and how it is opened.

pub(crate) mod compact;
pub(crate) mod disk;
pub(crate) mod folder;
pub(crate) mod schema;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::thread;
use std::time::Duration;

use redb::backends::InMemoryBackend;
use redb::{Builder, ReadOnlyTable, ReadTransaction, ReadableDatabase, StorageBackend};

use self::disk::{Backend, Disk};
use self::folder::FILE;
use self::schema::{Key, SESSIONS, create_tables, failed};
use crate::config::StorePath;
use crate::session::StoreError;

/// Why the embedded store cannot be opened; `Display` says what to do about it.
#[derive(Debug)]
pub struct OpenError {
    location: StorePath,
    source: Box<dyn Error + Send + Sync>,
}

/// What the database found, or stumbled over, where its own structure should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(String);

impl OpenError {
    pub(crate) fn new(
        location: &StorePath,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            location: location.clone(),
            source: source.into(),
        }
    }

    /// Whether another process has the store open.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(
            self.source.downcast_ref(),
            Some(redb::Error::DatabaseAlreadyOpen)
        )
    }

    /// Whether the file is there and is not what Innkeeper wrote.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.source.is::<Damaged>()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, source } = self;
        if self.is_in_use() {
            return write!(
                f,
                "another process is using the session store in {location}; give this one a `store_path` of its own, \
                 or let both share one Redis with REDIS_URL"
            );
        }
        if self.is_damaged() {
            return write!(
                f,
                "the session store in {location} is damaged ({source}); move the file {FILE} away and start again, \
                 with an empty store: everybody has to sign in again"
            );
        }
        write!(
            f,
            "the session store in {location} cannot be used ({source}); `store_path` must be a folder that this \
             process can write to"
        )
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// The open database; another can take its place while it is read.
pub(crate) struct Database {
    location: StorePath,
    cache_bytes: usize,
    /// `None` once it is closed.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// A file has been renamed, and a crash might undo that.
    is_unsynced: AtomicBool,
    /// What a reader met where no database should fail.
    suspicion: Mutex<Option<StoreError>>,
}

/// The database, and its sessions as they were after the last commit: to open the table costs more than to read a
/// row of it.
///
/// Whoever reads keeps this until he is done: a database that is dropped breaks off what is read of it.
pub(crate) struct Snapshot {
    pub(crate) sessions: ReadOnlyTable<&'static Key, (u64, &'static [u8])>,
    /// The other tables in the same state. (`database` may be ahead of it: after a failed write it believes in a
    /// commit that is not in the file.)
    pub(crate) transaction: ReadTransaction,
    pub(crate) database: Arc<redb::Database>,
    /// `None` in memory.
    disk: Option<Arc<Disk>>,
}

impl Snapshot {
    fn new(
        database: Arc<redb::Database>,
        disk: Option<Arc<Disk>>,
    ) -> Result<Arc<Self>, redb::Error> {
        let transaction = database.begin_read()?;
        let sessions = transaction.open_table(SESSIONS)?;
        Ok(Arc::new(Self {
            sessions,
            transaction,
            database,
            disk,
        }))
    }

    /// After a commit: whether it is in the file.
    pub(crate) fn check_written(&self) -> Result<(), StoreError> {
        self.disk
            .as_ref()
            .map_or(Ok(()), |disk| check_written(disk))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.is_full())
    }

    /// Whether the file system keeps no room for the file beyond its end.
    pub(crate) fn has_no_reserve(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.has_no_reserve())
    }

    pub(crate) fn keep_room(&self) {
        if let Some(disk) = &self.disk {
            disk.keep_room();
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.location).finish()
    }
}

impl Database {
    pub(crate) fn at(location: &StorePath, cache_bytes: usize) -> Result<Self, OpenError> {
        let snapshot = open_at(location, cache_bytes)?;
        Ok(Self {
            location: location.clone(),
            cache_bytes,
            snapshot: RwLock::new(Some(snapshot)),
            is_unsynced: AtomicBool::new(false),
            suspicion: Mutex::default(),
        })
    }

    pub(crate) fn location(&self) -> &StorePath {
        &self.location
    }

    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// How much the file takes on disk; nothing where there is none.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match &self.location {
            StorePath::Memory => Ok(0),
            StorePath::Folder(folder) => Ok(fs::metadata(folder.join(FILE))?.len()),
        }
    }

    /// Puts another file in the place of this one, and its database too.
    ///
    /// Both are open and locked, so that another process finds the store in use.
    pub(crate) fn replace(&self, fresh: OpenFile, file: &Path) -> io::Result<()> {
        let StorePath::Folder(folder) = &self.location else {
            return Ok(());
        };
        let OpenFile { database, disk } = fresh;
        check(&disk).map_err(io::Error::other)?;
        let snapshot = Snapshot::new(Arc::new(database), Some(disk)).map_err(io::Error::other)?;
        self.is_unsynced.store(true, Ordering::Relaxed);
        fs::rename(file, folder.join(FILE))?;
        *self.current() = Some(snapshot);
        if let Err(error) = self.sync_folder() {
            tracing::error!(%error, "the session store's folder cannot be synced, and nothing is written until it can");
        }
        Ok(())
    }

    /// A renamed file whose folder was never synced may be the old one again after a crash, without what has been
    /// committed since. So nothing is committed before this has succeeded.
    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        if let StorePath::Folder(folder) = &self.location
            && self.is_unsynced.load(Ordering::Relaxed)
        {
            folder::sync(folder)?;
            self.is_unsynced.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn database(&self) -> Result<Arc<redb::Database>, StoreError> {
        Ok(Arc::clone(&self.snapshot()?.database))
    }

    /// The database with the sessions as they were after the last commit.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot
            .clone()
            .ok_or_else(|| StoreError::Failed("it is closed".to_owned()))
    }

    /// Reads what was committed last. Do not nest calls: [`reopen`](Self::reopen) waits for every reader.
    ///
    /// redb panics over some damaged pages; that is the store's failure, and not its reader's. After a read that failed
    /// it refuses every other one, until it is opened again.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let snapshot = self.snapshot()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&snapshot)))
            .unwrap_or_else(|_| Err(StoreError::Failed("its file is damaged".to_owned())));
        if let Err(StoreError::Failed(problem)) = &outcome {
            *self.suspicion() = Some(StoreError::Failed(problem.clone()));
        }
        outcome
    }

    /// What a reader has met since this was asked last.
    pub(crate) fn take_suspicion(&self) -> Option<StoreError> {
        self.suspicion().take()
    }

    fn suspicion(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.suspicion
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows readers what has been committed; to be called after each commit, before anybody is told of it.
    pub(crate) fn refresh(&self) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        let database = Arc::clone(&snapshot.database);
        let shown = Snapshot::new(database, snapshot.disk.clone()).map_err(failed)?;
        *self.current() = Some(shown);
        Ok(())
    }

    fn current(&self) -> RwLockWriteGuard<'_, Option<Arc<Snapshot>>> {
        self.snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file again beside the open one: after a failed write (a full disk, say) the database takes no other.
    /// That takes long, because every page is looked at. Readers go on with the last snapshot meanwhile, and if it
    /// fails.
    ///
    /// What is only in memory has no file to fail, and would be lost.
    pub(crate) fn reopen(&self) -> Result<(), OpenError> {
        let error = |error: StoreError| OpenError::new(&self.location, error);
        let Some(disk) = self.snapshot().map_err(error)?.disk.clone() else {
            return Ok(());
        };
        // Two databases must not write to one file.
        disk.fail(io::Error::other("another database has taken over"));
        let fresh = disk
            .again()
            .map_err(Failure::from)
            .and_then(|disk| take_over(disk, self.cache_bytes))
            .map_err(|error| OpenError::new(&self.location, explained(error)))?;
        let old = self.current().replace(fresh);
        // The snapshot that is read of the old one is safe only until the new one writes.
        if let Some(old) = old {
            discard(old);
        }
        // It was the old one's.
        drop(self.take_suspicion());
        Ok(())
    }

    /// Closes the database, and waits until nobody reads any more.
    pub(crate) fn close(&self) {
        let old = self.current().take();
        if let Some(old) = old {
            discard(old);
        }
    }
}

fn discard(old: Arc<Snapshot>) {
    // Whoever is reading does so for microseconds.
    let Snapshot {
        sessions,
        transaction,
        database,
        disk,
    } = last_of(old);
    drop(sessions);
    drop(transaction);
    let database = last_of(database);
    // It may be the one that has just panicked.
    let closed = catch_unwind(AssertUnwindSafe(|| drop(database)));
    if let Err(panic) = closed {
        tracing::warn!(problem = words(&*panic), "the database could not be closed");
    }
    drop(disk);
}

/// Waits until nobody else has it.
fn last_of<T>(mut shared: Arc<T>) -> T {
    let mut tries = 0_u32;
    loop {
        match Arc::try_unwrap(shared) {
            Ok(last) => return last,
            Err(used) => shared = used,
        }
        tries += 1;
        // A reader that takes long waits for the disk.
        if tries < 100 {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn open_at(location: &StorePath, cache_bytes: usize) -> Result<Arc<Snapshot>, OpenError> {
    let opened = match location {
        StorePath::Memory => without_panic(|| {
            let database = create(InMemoryBackend::new(), cache_bytes, false)?;
            create_tables(&database)?;
            Snapshot::new(Arc::new(database), None).map_err(Failure::from)
        }),
        StorePath::Folder(folder) => folder::make_private(folder)
            .map_err(Failure::from)
            .and_then(|()| open_file(&folder.join(FILE), cache_bytes))
            .and_then(|OpenFile { database, disk }| {
                without_panic(|| {
                    Snapshot::new(Arc::new(database), Some(disk)).map_err(Failure::from)
                })
            }),
    };
    opened.map_err(|error| OpenError::new(location, explained(error)))
}

/// A database in a file.
pub(crate) struct OpenFile {
    pub(crate) database: redb::Database,
    disk: Arc<Disk>,
}

impl OpenFile {
    /// Whether all that was written to it is in it.
    pub(crate) fn check_written(&self) -> Result<(), StoreError> {
        check_written(&self.disk)
    }

    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.disk.fail(io::ErrorKind::StorageFull.into());
    }
}

fn check_written(disk: &Disk) -> Result<(), StoreError> {
    match disk.failure() {
        Some(error) => Err(StoreError::Failed(error.to_string())),
        None => Ok(()),
    }
}

/// Opens the file, makes it if it is not there, and its tables too.
pub(crate) fn open_file(path: &Path, cache_bytes: usize) -> Result<OpenFile, Failure> {
    let file = folder::private_file(path)?;
    let is_small = file.metadata()?.len() <= CHECKED;
    let disk = Disk::new(file)?;
    without_panic(|| {
        let database = create(Backend(Arc::clone(&disk)), cache_bytes, is_small)?;
        create_tables(&database)?;
        check(&disk)?;
        Ok(OpenFile { database, disk })
    })
}

/// Opens a file that is open already, without writing anything but its header.
fn take_over(disk: Arc<Disk>, cache_bytes: usize) -> Result<Arc<Snapshot>, Failure> {
    without_panic(|| {
        let database = create(Backend(Arc::clone(&disk)), cache_bytes, false)?;
        check(&disk)?;
        Snapshot::new(Arc::new(database), Some(disk)).map_err(Failure::from)
    })
}

/// What redb was not told while it opened the file.
fn check(disk: &Disk) -> Result<(), Failure> {
    match disk.failure() {
        Some(error) => Err(io::Error::new(error.kind(), error.to_string()).into()),
        None => Ok(()),
    }
}

/// Up to this size every page of a file is looked at when it is opened, which takes a tenth of a second. (After a
/// crash redb does it at any size.)
const CHECKED: u64 = 64 << 20;

fn create(
    backend: impl StorageBackend,
    cache_bytes: usize,
    check: bool,
) -> Result<redb::Database, Failure> {
    let mut builder = Builder::new();
    builder
        .set_cache_size(cache_bytes)
        .set_check_integrity_on_open(check);
    Ok(builder.create_with_backend(backend)?)
}

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Database(#[from] redb::Error),
    /// redb trusts what it reads, and stumbles over what no redb has written.
    #[error("{0}")]
    Panic(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<redb::DatabaseError> for Failure {
    fn from(error: redb::DatabaseError) -> Self {
        Self::Database(error.into())
    }
}

/// Tells a damaged file from one that cannot be had.
fn explained(failure: Failure) -> Box<dyn Error + Send + Sync> {
    match failure {
        Failure::Panic(text) => Box::new(Damaged(text)),
        Failure::Database(error) => {
            if is_damage(&error) {
                Box::new(Damaged(error.to_string()))
            } else {
                Box::new(error)
            }
        }
    }
}

fn is_damage(error: &redb::Error) -> bool {
    if let redb::Error::Io(error) = error {
        return matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        );
    }
    matches!(
        error,
        redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)
    )
}

fn without_panic<T>(open: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(open))
        .unwrap_or_else(|panic| Err(Failure::Panic(words(&*panic).to_owned())))
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it is not readable")
}
