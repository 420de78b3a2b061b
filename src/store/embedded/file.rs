//! The embedded store's file, and how it is opened.

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError};

use super::SESSIONS;
use crate::config::Location;

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

pub(super) fn open(location: &Location) -> Result<Database, OpenError> {
    let failed = |error: DatabaseError| OpenError::new(location, error);
    let database = match location {
        Location::Memory => Builder::new().create_with_backend(InMemoryBackend::new()),
        Location::Folder(folder) => {
            let file = private_file(folder).map_err(|error| OpenError::new(location, error))?;
            FileBackend::new(file).and_then(|backend| Builder::new().create_with_backend(backend))
        }
    }
    .map_err(failed)?;
    make_tables(&database).map_err(|error| OpenError::new(location, error))?;
    Ok(database)
}

fn private_file(folder: &Path) -> io::Result<File> {
    if !folder.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let path = folder.join("sessions.redb");
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

/// A reader cannot open a table that no writer has made.
fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(SESSIONS)?;
    transaction.commit()?;
    Ok(())
}
