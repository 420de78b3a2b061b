//! The embedded store's file, and how it is opened.

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError};

use super::tables;
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
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(DatabaseError::DatabaseAlreadyOpen) = self.source.downcast_ref() {
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
    database: RwLock<Option<Arc<Database>>>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.location).finish()
    }
}

impl Storage {
    pub(super) fn open(location: &Location) -> Result<Self, OpenError> {
        Ok(Self {
            location: location.clone(),
            database: RwLock::new(Some(Arc::new(open(location)?))),
        })
    }

    pub(super) fn database(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database
            .clone()
            .ok_or_else(|| StoreError::Failed("its file could not be opened again".to_owned()))
    }

    /// Closes the file and opens it again: after a failed write (a full disk, say) the database takes no other.
    ///
    /// What is only in memory has no file to fail, and would be lost.
    pub(super) fn reopen(&self) -> Result<(), OpenError> {
        if self.location == Location::Memory {
            return Ok(());
        }
        let mut slot = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut old = slot.take();
        while let Some(database) = old {
            // Whoever is reading holds it for microseconds, and its lock is on until the last has let go.
            old = Arc::try_unwrap(database).err();
            thread::yield_now();
        }
        *slot = Some(Arc::new(open(&self.location)?));
        Ok(())
    }
}

fn open(location: &Location) -> Result<Database, OpenError> {
    let failed = |error: DatabaseError| OpenError::new(location, error);
    let database = match location {
        Location::Memory => Builder::new().create_with_backend(InMemoryBackend::new()),
        Location::Folder(folder) => {
            let file = private_file(folder).map_err(|error| OpenError::new(location, error))?;
            FileBackend::new(file).and_then(|backend| Builder::new().create_with_backend(backend))
        }
    }
    .map_err(failed)?;
    tables::make(&database).map_err(|error| OpenError::new(location, error))?;
    Ok(database)
}

const FILE: &str = "sessions.redb";

/// Whether a folder may be closed to others: one that holds other files too serves somebody else as well.
fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != FILE {
            return Ok(false);
        }
    }
    Ok(true)
}

fn private_file(folder: &Path) -> io::Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    if is_ours_alone(folder)? {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    let path = folder.join(FILE);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)?;
    // A file that was copied here may have come with other rights.
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(file)
}
