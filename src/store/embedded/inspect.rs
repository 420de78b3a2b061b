//! What can be found out about the file without opening it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process;

use crate::config::StorePath;
use crate::store::embedded::database::folder;
use crate::store::embedded::database::folder::{Access, Exposed, FILE_NAME};

/// Where the embedded store is, for the judgement.
#[derive(Debug)]
pub(crate) enum FileState {
    /// Only in the process's memory.
    Memory,
    /// Nothing there; the first launch makes it, if it can.
    Missing(Result<(), io::Error>),
    /// A file with these permissions.
    There {
        /// The lowest nine bits.
        mode: u32,
        /// Whether a launch takes others' rights away.
        is_ours: bool,
    },
}

/// What others on this machine may use although the store has been opened.
pub(crate) fn exposed(path: &StorePath) -> Vec<Exposed> {
    match path {
        StorePath::Memory => Vec::new(),
        StorePath::Folder(folder) => folder::exposed(folder),
    }
}

/// Looks at the place; makes nothing there, and opens nothing.
pub(crate) fn inspect(path: &StorePath) -> FileState {
    let StorePath::Folder(folder) = path else {
        return FileState::Memory;
    };
    match fs::metadata(folder.join(FILE_NAME)) {
        Ok(file) => FileState::There {
            mode: file.permissions().mode() & 0o777,
            is_ours: Access::of(&file) == Access::Ours,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            FileState::Missing(can_be_made(folder))
        }
        Err(error) => FileState::Missing(Err(error)),
    }
}

/// Tries with a file in what there is of the path: permissions alone do not tell of a read-only or full disk.
fn can_be_made(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("."));
    let probe = there.join(format!(".innkeeper-doctor-{}", process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    fs::remove_file(probe)
}
