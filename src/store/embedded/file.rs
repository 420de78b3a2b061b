//! The embedded store's file, and how it is opened.

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::thread;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, ReadOnlyTable, ReadableDatabase, StorageBackend};

use super::tables::{self, SESSIONS};
use super::{Key, failed};
use crate::config::Location;
use crate::session::StoreError;

/// Why the embedded store cannot be opened; `Display` says what to do about it.
#[derive(Debug)]
pub struct OpenError {
    location: Location,
    source: Box<dyn Error + Send + Sync>,
}

impl OpenError {
    pub(super) fn new(
        location: &Location,
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
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_in_use() {
            return write!(
                f,
                "another process is using the session store in {}; give this one a `store_path` of its own, \
                 or let both share one Redis with REDIS_URL",
                self.location
            );
        }
        write!(
            f,
            "the session store in {} cannot be used ({}); `store_path` must be a folder that this process can write to",
            self.location, self.source
        )
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// The open database; it can be closed and opened again while others use it.
pub(super) struct Storage {
    location: Location,
    /// `None` while it could not be opened again.
    open: RwLock<Option<Arc<Open>>>,
}

/// The database, and its sessions as they were after the last commit: to open the table costs more than to read a
/// row of it.
///
/// Whoever reads keeps this until he is done: a database that is dropped breaks off what is read of it.
pub(super) struct Open {
    pub(super) sessions: ReadOnlyTable<&'static Key, (u64, &'static [u8])>,
    pub(super) database: Arc<Database>,
}

impl Open {
    fn new(database: Arc<Database>) -> Result<Arc<Self>, redb::Error> {
        let sessions = database.begin_read()?.open_table(SESSIONS)?;
        Ok(Arc::new(Self { sessions, database }))
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.location).finish()
    }
}

impl Storage {
    pub(super) fn at(location: &Location) -> Result<Self, OpenError> {
        Ok(Self {
            location: location.clone(),
            open: RwLock::new(Some(open_at(location)?)),
        })
    }

    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// How much the file takes on disk; nothing where there is none.
    pub(super) fn size(&self) -> io::Result<u64> {
        match &self.location {
            Location::Memory => Ok(0),
            Location::Folder(folder) => Ok(fs::metadata(folder.join(FILE))?.len()),
        }
    }

    /// Puts another file in the place of this one, and its database too.
    ///
    /// Both are open and locked, so that another process finds the store in use.
    pub(super) fn replace(&self, database: Database, file: &Path) -> io::Result<()> {
        let Location::Folder(folder) = &self.location else {
            return Ok(());
        };
        let open = Open::new(Arc::new(database)).map_err(io::Error::other)?;
        fs::rename(file, folder.join(FILE))?;
        *self.place() = Some(open);
        File::open(folder)?.sync_all()
    }

    pub(super) fn database(&self) -> Result<Arc<Database>, StoreError> {
        Ok(Arc::clone(&self.open()?.database))
    }

    /// The database with the sessions as they were after the last commit.
    pub(super) fn open(&self) -> Result<Arc<Open>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone()
            .ok_or_else(|| StoreError::Failed("its file could not be opened again".to_owned()))
    }

    /// Shows readers what has been committed; to be called after each commit, before anybody is told of it.
    pub(super) fn show(&self) -> Result<(), StoreError> {
        let open = Open::new(self.database()?).map_err(failed)?;
        *self.place() = Some(open);
        Ok(())
    }

    fn place(&self) -> RwLockWriteGuard<'_, Option<Arc<Open>>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the file and opens it again: after a failed write (a full disk, say) the database takes no other.
    ///
    /// What is only in memory has no file to fail, and would be lost.
    pub(super) fn reopen(&self) -> Result<(), OpenError> {
        if self.location == Location::Memory {
            return Ok(());
        }
        let mut place = self.place();
        if let Some(old) = place.take() {
            // Whoever is reading does so for microseconds, and the file's lock is on until the last has let go.
            let Open { sessions, database } = last_of(old);
            drop(sessions);
            drop(last_of(database));
        }
        *place = Some(open_at(&self.location)?);
        Ok(())
    }
}

/// Waits until nobody else has it.
fn last_of<T>(mut shared: Arc<T>) -> T {
    loop {
        match Arc::try_unwrap(shared) {
            Ok(last) => return last,
            Err(used) => shared = used,
        }
        thread::yield_now();
    }
}

fn open_at(location: &Location) -> Result<Arc<Open>, OpenError> {
    let opened = match location {
        Location::Memory => create(InMemoryBackend::new()),
        Location::Folder(folder) => make_private(folder)
            .map_err(redb::Error::Io)
            .and_then(|()| open_file(&folder.join(FILE))),
    };
    opened
        .and_then(|database| Open::new(Arc::new(database)))
        .map_err(|error| OpenError::new(location, error))
}

pub(super) fn open_file(path: &Path) -> Result<Database, redb::Error> {
    let file = private_file(path).map_err(redb::Error::Io)?;
    create(FileBackend::new(file)?)
}

fn create(backend: impl StorageBackend) -> Result<Database, redb::Error> {
    let database = Builder::new().create_with_backend(backend)?;
    tables::make(&database)?;
    Ok(database)
}

pub(super) const FILE: &str = "sessions.redb";
/// What a smaller file is called until it takes the place of the other.
pub(super) const FRESH: &str = "sessions.redb.new";

/// Whether a folder may be closed to others: one that holds other files too serves somebody else as well.
fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != FILE && name != FRESH {
            return Ok(false);
        }
    }
    Ok(true)
}

fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    if is_ours_alone(folder)? {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    // A file that was copied here may have come with other rights.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(file)
}
