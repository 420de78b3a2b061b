//! The state of the file, without opening it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process;

use crate::config::StorePath;
use crate::store::embedded::database::folder::{Access, FILE_NAME};

/// The state of the file at a [`StorePath`].
#[derive(Debug)]
pub(crate) enum FileState {
    Memory,
    /// No file; whether the first launch can create it.
    Missing(Result<(), io::Error>),
    There {
        /// The lowest nine bits.
        mode: u32,
        /// Whether a launch takes the permissions of others away.
        is_ours: bool,
    },
}

/// Looks at the path; creates and opens nothing there.
pub(crate) fn inspect(path: &StorePath) -> FileState {
    let StorePath::Folder(folder) = path else {
        return FileState::Memory;
    };
    match fs::metadata(folder.join(FILE_NAME)) {
        Ok(file) => FileState::There {
            mode: file.permissions().mode() & 0o777,
            is_ours: Access::new(&file) == Access::Ours,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            FileState::Missing(can_be_created(folder))
        }
        Err(error) => FileState::Missing(Err(error)),
    }
}

/// Tries it with another file in the nearest folder that exists: permissions do not show a read-only or full disk.
fn can_be_created(folder: &Path) -> io::Result<()> {
    let existing = folder.ancestors().find(|path| path.exists());
    let probe = existing
        .unwrap_or(Path::new("."))
        .join(format!(".innkeeper-doctor-{}", process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    fs::remove_file(probe)
}
