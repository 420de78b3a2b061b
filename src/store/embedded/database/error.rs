//! Why the file cannot be opened.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::folder::FILE_NAME;
use crate::config::StorePath;

/// Why the embedded store cannot be opened; `Display` says what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenError {
    path: StorePath,
    failure: Failure,
}

/// The cause of an [`OpenError`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Redb(#[from] redb::Error),
    /// redb trusts the file, and panics over some bytes that it has not written.
    #[error("{0}")]
    Panic(String),
    #[error("its tables are of version {0}")]
    Version(u32),
    #[error("its tables are of an older version")]
    Older,
    #[error("{0}")]
    Upgrade(String),
}

impl OpenError {
    pub(crate) fn new(path: &StorePath, failure: impl Into<Failure>) -> Self {
        Self {
            path: path.clone(),
            failure: failure.into(),
        }
    }

    /// Whether another process has the store open.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(
            self.failure,
            Failure::Redb(redb::Error::DatabaseAlreadyOpen)
        )
    }

    /// Whether an older version of Innkeeper has written the file, which was not to be
    /// [taken over](crate::EmbeddedLimits::takes_over).
    #[must_use]
    pub fn is_older(&self) -> bool {
        matches!(self.failure, Failure::Older)
    }

    /// Whether the file is there, but not as Innkeeper wrote it.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        match &self.failure {
            Failure::Panic(_) => true,
            Failure::Version(_) | Failure::Older | Failure::Upgrade(_) => false,
            Failure::Redb(redb::Error::Io(error)) => matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ),
            Failure::Redb(error) => matches!(
                error,
                redb::Error::Corrupted(_)
                    | redb::Error::UpgradeRequired(_)
                    | redb::Error::TableTypeMismatch { .. }
                    | redb::Error::TypeDefinitionChanged { .. }
                    | redb::Error::TableIsMultimap(_)
            ),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, failure } = self;
        if self.is_in_use() {
            write!(
                f,
                "another process is using the session store in {path}; give this one a `store_path` of its own, \
                 or let both share one Redis with REDIS_URL"
            )
        } else if self.is_damaged() {
            write!(
                f,
                "the session store in {path} is damaged ({failure}); move the file {FILE_NAME} away and start again, \
                 with an empty store: everybody has to sign in again"
            )
        } else if self.is_older() {
            write!(
                f,
                "the session store in {path} was written by an older version of Innkeeper; start the server, which takes \
                 it over, and try again"
            )
        } else if let Failure::Version(_) = failure {
            write!(
                f,
                "the session store in {path} was written by a newer version of Innkeeper ({failure}); use that one, or \
                 move the file {FILE_NAME} away and start again, with an empty store: everybody has to sign in again"
            )
        } else if let Failure::Upgrade(_) = failure {
            write!(
                f,
                "the session store in {path} was written by an older version of Innkeeper, and could not be copied \
                 ({failure}); it is as it was. Its disk needs room for the copy, too. If nothing else helps, move the file \
                 {FILE_NAME} away and start again, with an empty store: everybody has to sign in again"
            )
        } else {
            write!(
                f,
                "the session store in {path} cannot be used ({failure}); `store_path` must be a folder that this \
                 process can write to"
            )
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.failure)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Redb(error.into())
    }
}

impl From<redb::DatabaseError> for Failure {
    fn from(error: redb::DatabaseError) -> Self {
        Self::Redb(error.into())
    }
}

/// Opens a file that may be damaged, over which redb may panic.
pub(crate) fn catch_panic<T>(open: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(open))
        .unwrap_or_else(|panic| Err(Failure::Panic(panic_message(&*panic).to_owned())))
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it is not readable")
}
