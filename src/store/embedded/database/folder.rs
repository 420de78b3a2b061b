//! The folder of the store and the files in it: who may look at them, and whether they outlive a crash.

use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(crate) const FILE_NAME: &str = "sessions.redb";
/// What a smaller file is called until it takes the place of the other.
pub(crate) const COMPACTED_FILE_NAME: &str = "sessions.redb.new";

/// Makes the folder if it is not there, in such a way that it outlives a crash, and closes it to others.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    for made in missing {
        sync(made.parent().unwrap_or(Path::new("")))?;
    }
    if is_ours_alone(folder)? {
        close_to_others(folder, &fs::metadata(folder)?, 0o700);
    }
    Ok(())
}

/// Opens the file, and makes it if it is not there.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if is_new {
        sync(path.parent().unwrap_or(Path::new("")))?;
    }
    // A file that was copied here may have come with other rights.
    close_to_others(path, &file.metadata()?, 0o600);
    Ok(file)
}

/// Makes what was created or renamed in a folder outlive a crash.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

/// Whether a folder may be closed to others: one that holds other files too serves somebody else as well.
fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != FILE_NAME && name != COMPACTED_FILE_NAME {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Who else may look at something, and who can change that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Closed,
    /// Open to others, and this process is its owner.
    Ours,
    /// Open to others, and somebody else's: a volume that a system mounted for this process, or another user's file.
    NotOurs,
}

impl Access {
    pub(crate) fn of(entry: &Metadata) -> Self {
        Self::judge(
            entry.mode(),
            entry.uid(),
            rustix::process::geteuid().as_raw(),
        )
    }

    fn judge(mode: u32, owner: u32, user: u32) -> Self {
        match (mode & 0o077, owner == user) {
            (0, _) => Self::Closed,
            (_, true) => Self::Ours,
            (_, false) => Self::NotOurs,
        }
    }
}

/// Takes others' rights away, if that is this process's business. Where it is not, or where the file system has no
/// rights to change (CIFS, FAT), the store can be used all the same, and [`exposed`] says what is so.
fn close_to_others(path: &Path, entry: &Metadata, mode: u32) {
    if Access::of(entry) == Access::Ours {
        drop(fs::set_permissions(path, Permissions::from_mode(mode)));
    }
}

/// A folder or file of the store that others on this machine may use, and that a launch could not close.
#[derive(Debug)]
pub(crate) struct Exposed {
    path: PathBuf,
    /// The lowest nine bits.
    mode: u32,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is open to others on this machine (mode {:o}), and is not this process's to close",
            self.path.display(),
            self.mode
        )
    }
}

/// What others may use although the store has been opened. A folder that holds other files is not looked at.
pub(crate) fn exposed(folder: &Path) -> Vec<Exposed> {
    let folder_itself = is_ours_alone(folder)
        .unwrap_or(false)
        .then(|| folder.to_owned());
    folder_itself
        .into_iter()
        .chain([folder.join(FILE_NAME)])
        .filter_map(|path| {
            let entry = fs::metadata(&path).ok()?;
            (Access::of(&entry) != Access::Closed).then(|| Exposed {
                mode: entry.mode() & 0o777,
                path,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_and_ours_is_closed() {
        for (mode, owner, expected) in [
            (0o100_600, 1000, Access::Closed),
            (0o100_600, 0, Access::Closed),
            (0o040_755, 1000, Access::Ours),
            (0o100_644, 1000, Access::Ours),
            // Kubernetes' emptyDir with fsGroup, and a share that shows the same rights for everything.
            (0o042_770, 0, Access::NotOurs),
            (0o040_777, 0, Access::NotOurs),
        ] {
            assert_eq!(Access::judge(mode, owner, 1000), expected, "{mode:o}");
        }
        assert_eq!(Access::judge(0o040_777, 1000, 0), Access::NotOurs);
    }
}
