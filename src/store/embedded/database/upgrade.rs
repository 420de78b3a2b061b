//! Opens the file, and may take it over if an older version has written it: its rows are copied into a new file, which
//! replaces it. Until then the old one is as it was, whatever happens.

use std::fs;
use std::path::Path;
use std::time::Instant;

use redb::{ReadTransaction, ReadableDatabase, WriteTransaction};

use super::error::{Failure, catch_panic};
use super::folder::{self, COMPACTED_FILE_NAME, FILE_NAME};
use super::open_file::OpenFile;
use super::schema::failed;
use crate::session::StoreError;

/// Copies the rows of version 1 into the tables of an empty file.
pub(crate) type CopyRows =
    fn(&ReadTransaction, &WriteTransaction, &OpenFile) -> Result<(), StoreError>;

pub(crate) fn open(
    folder: &Path,
    cache_bytes: usize,
    copy_rows: Option<CopyRows>,
) -> Result<OpenFile, Failure> {
    let file = OpenFile::open(&folder.join(FILE_NAME), cache_bytes)?;
    if file.version()? != Some(1) {
        return file.with_tables();
    }
    let copy_rows = copy_rows.ok_or(Failure::Older)?;
    let begun = Instant::now();
    tracing::info!(
        "the session store was written by an older version, and is copied into a new file; with a million sessions \
         that takes half a minute"
    );
    // Where the file is a link, beside what it leads to, which is replaced.
    let old = fs::canonicalize(folder.join(FILE_NAME))?;
    let path = old.with_file_name(COMPACTED_FILE_NAME);
    let upgraded = copy(&file, &path, cache_bytes, copy_rows).and_then(|new| {
        fs::rename(&path, &old)?;
        Ok(new)
    });
    match upgraded {
        Ok(new) => {
            let taken = begun.elapsed();
            tracing::info!(?taken, "the session store has been copied");
            Ok(new)
        }
        Err(failure) => {
            // On a nearly full disk half a copy must not take the last room.
            drop(fs::remove_file(&path));
            Err(match failure {
                Failure::Redb(error) => Failure::Upgrade(error.to_string()),
                Failure::Panic(_) | Failure::Version(_) | Failure::Older | Failure::Upgrade(_) => {
                    failure
                }
            })
        }
    }
}

fn copy(
    from: &OpenFile,
    path: &Path,
    cache_bytes: usize,
    copy_rows: CopyRows,
) -> Result<OpenFile, Failure> {
    let to = OpenFile::create_anew(path, cache_bytes)?;
    if let (Some(from), Some(to)) = (&from.disk, &to.disk) {
        folder::keep_owner(&from.file, &to.file)?;
    }
    let copied = catch_panic(|| {
        let reading = from.database.begin_read().map_err(redb::Error::from)?;
        let writing = to.database.begin_write().map_err(redb::Error::from)?;
        let copied = copy_rows(&reading, &writing, &to)
            .and_then(|()| writing.commit().map_err(failed))
            .and_then(|()| to.check_written());
        copied.map_err(|error| Failure::Upgrade(error.reason()))
    });
    copied.map(|()| to)
}

#[cfg(test)]
mod tests {
    use std::io;

    use redb::{Builder, TableDefinition};

    use super::super::schema::FORMAT_VERSION;
    use super::*;

    const OLD: TableDefinition<'_, &[u8; 32], (u64, &[u8])> = TableDefinition::new("sessions");

    #[expect(clippy::unnecessary_wraps, reason = "a `CopyRows`")]
    fn keep_none(
        _: &ReadTransaction,
        _: &WriteTransaction,
        _: &OpenFile,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    #[test]
    fn a_copy_that_fails_leaves_the_file_as_it_was() {
        let failing: [CopyRows; 3] = [
            |_, _, _| Err(StoreError::Failed("no room".to_owned())),
            |_, _, _| panic!("over a damaged row"),
            |_, _, file| {
                let disk = file.disk.as_ref().unwrap();
                disk.fail(io::ErrorKind::StorageFull.into());
                Ok(())
            },
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let old = Builder::new().create(&path).unwrap();
        let writing = old.begin_write().unwrap();
        let mut sessions = writing.open_table(OLD).unwrap();
        sessions.insert(&[1; 32], (1, b"{}".as_slice())).unwrap();
        drop(sessions);
        writing.commit().unwrap();
        drop(old);
        for copy in failing {
            assert!(open(folder.path(), 1 << 20, Some(copy)).is_err());
            assert!(!folder.path().join(COMPACTED_FILE_NAME).exists());
            let old = Builder::new().open(&path).unwrap();
            let reading = old.begin_read().unwrap();
            let row = reading.open_table(OLD).unwrap().get(&[1; 32]).unwrap();
            assert!(row.is_some());
        }
        // A link still leads to it afterwards.
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("store");
        fs::rename(&path, &target).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        for _ in 0..2 {
            let file = open(folder.path(), 1 << 20, Some(keep_none)).unwrap();
            assert!(path.is_symlink());
            assert_eq!(file.version().unwrap(), Some(FORMAT_VERSION));
        }
    }

    #[test]
    fn a_file_that_was_replaced_before_it_was_locked_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        drop(open(folder.path(), 1 << 20, None).unwrap());
        let late = folder::open_private(&path).unwrap();
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        drop(open(folder.path(), 1 << 20, None).unwrap());
        let opened = OpenFile::open_locked(&path, late, 1 << 20);
        assert!(matches!(
            opened.map(drop),
            Err(Failure::Redb(redb::Error::DatabaseAlreadyOpen))
        ));
    }
}
