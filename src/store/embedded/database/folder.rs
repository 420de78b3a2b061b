//! The folder of the store and the files in it: their permissions, and the syncs by which they survive a crash.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::config::{CONTROL_SOCKET, StorePath};

pub(crate) const FILE_NAME: &str = "sessions.redb";
/// The copy that `Database::compact` writes, until it is renamed.
pub(crate) const COMPACTED_FILE_NAME: &str = "sessions.redb.new";

/// Creates the folder if it is not there, so that it survives a crash, and takes away the permissions of others.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    for created in missing {
        sync(created.parent().unwrap_or(Path::new("")))?;
    }
    if has_only_store_files(folder)? {
        close_to_others(folder, &fs::metadata(folder)?, 0o700);
    }
    Ok(())
}

/// Opens the file, and creates it if it is not there.
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
    // A file that was copied here may have other permissions.
    close_to_others(path, &file.metadata()?, 0o600);
    Ok(file)
}

/// Gives a copy to the owner of the original: the server may have been started by another user than its own (root, say).
///
/// A process that may not do that uses a file of somebody else's (of a volume that was mounted for it, say). The copy is then
/// its own, and open to the same others as the original.
pub(crate) fn keep_owner(original: &File, copy: &File) -> io::Result<()> {
    let (original, found) = (original.metadata()?, copy.metadata()?);
    let (user, group) = (original.uid(), original.gid());
    if (user, group) == (found.uid(), found.gid()) {
        return Ok(());
    }
    match fchown(copy, Some(user), Some(group)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            if fchown(copy, None, Some(group)).is_ok() {
                copy.set_permissions(original.permissions())?;
            }
            Ok(())
        }
        outcome => outcome,
    }
}

/// Makes new and renamed files in a folder survive a crash.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    // With `.`, an empty path is the current folder.
    File::open(folder.join("."))?.sync_all()
}

/// Whether the folder holds nothing but the store: one that holds other files may have other users.
fn has_only_store_files(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_ours = [FILE_NAME, COMPACTED_FILE_NAME, CONTROL_SOCKET]
            .iter()
            .any(|ours| name == *ours);
        if !is_ours {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether others have permissions for a file or folder, and whether this process can take them away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Closed,
    /// Open to others, and this process is its owner.
    Ours,
    /// Open to others, and another user is its owner: of a volume that was mounted for this process, say.
    NotOurs,
}

impl Access {
    pub(crate) fn new(entry: &Metadata) -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self::from_mode(entry.mode(), entry.uid(), user)
    }

    fn from_mode(mode: u32, owner: u32, user: u32) -> Self {
        match (mode & 0o077, owner == user) {
            (0, _) => Self::Closed,
            (_, true) => Self::Ours,
            (_, false) => Self::NotOurs,
        }
    }
}

/// Takes the permissions of others away, if this process is the owner. If it is not, or the file system has none to
/// change (CIFS, FAT), the store can be used all the same, and [`exposed`] reports it.
fn close_to_others(path: &Path, entry: &Metadata, mode: u32) {
    if Access::new(entry) == Access::Ours {
        drop(fs::set_permissions(path, Permissions::from_mode(mode)));
    }
}

/// A sentence for the folder and for the file, if others on this machine can use it after a launch has opened the
/// store. A folder that holds other files is not checked.
pub(crate) fn exposed(path: &StorePath) -> Vec<String> {
    let StorePath::Folder(folder) = path else {
        return Vec::new();
    };
    let mut paths = vec![folder.join(FILE_NAME)];
    if has_only_store_files(folder).unwrap_or(false) {
        paths.insert(0, folder.clone());
    }
    let exposed = |path: PathBuf| {
        let entry = fs::metadata(&path).ok()?;
        (Access::new(&entry) != Access::Closed).then(|| {
            format!(
                "{} is open to others on this machine (mode {:o}), and is not this process's to close",
                path.display(),
                entry.mode() & 0o777
            )
        })
    };
    paths.into_iter().filter_map(exposed).collect()
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
            assert_eq!(Access::from_mode(mode, owner, 1000), expected, "{mode:o}");
        }
        assert_eq!(Access::from_mode(0o040_777, 1000, 0), Access::NotOurs);
    }
}
