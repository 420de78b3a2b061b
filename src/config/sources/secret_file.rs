//! Secrets in files of their own: those that a setting names, and systemd's credentials.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::error::{ConfigError, nearest};
use crate::config::settings::SECRETS;

/// Far above any address or token: a larger file was named by mistake, and is not to fill the memory.
const MAX_KIBIBYTES: u64 = 16;

/// The folder in which systemd puts what `LoadCredential=` and its like name.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Reads a secret. One newline at its end, which editors and `echo` write, is no part of it.
///
/// The error is the end of a sentence about the file, and shows nothing of its content.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    // Before it is opened: that waits for the other end of a pipe, which could be read only once.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let limit = MAX_KIBIBYTES * 1024;
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(limit + 1).read_to_end(&mut bytes);
    if length.map_err(unreadable)? as u64 > limit {
        return Err(format!(
            "is larger than {MAX_KIBIBYTES} KiB, as no secret is"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if line.contains(char::is_control) {
        return Err("has more than one line, or a control character".to_owned());
    }
    Ok(line.to_owned())
}

/// The credential that has the name of this setting, if there is one.
pub(crate) fn credential(key: &str) -> Option<PathBuf> {
    let path = folder()?.join(key);
    // If the folder cannot be read, that is told when the credential is.
    let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    let missing = fs::symlink_metadata(&path).err().is_some_and(is_missing);
    (!missing).then_some(path)
}

/// Refuses a credential whose name is nearly that of a secret. Call it where no Redis is set: the embedded store would
/// start in its place.
pub(crate) fn check_credential_names() -> Result<(), ConfigError> {
    let entries = folder().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The unit's name before it, as in `ImportCredential=innkeeper.*`; and the end of the setting that names a file.
        let bare = name.strip_prefix("innkeeper").unwrap_or(&name);
        let bare = bare.trim_start_matches(['.', '_', '-']);
        let bare = bare.strip_suffix("_file").unwrap_or(bare);
        if let Some(known) = nearest(bare, &SECRETS).filter(|known| *known != name) {
            return Err(ConfigError(format!(
                "the credential `{name}` in `{CREDENTIALS}` is not read; did you mean `{known}`?"
            )));
        }
    }
    Ok(())
}

fn folder() -> Option<PathBuf> {
    let folder = env::var_os(CREDENTIALS).filter(|folder| !folder.is_empty());
    folder.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path)
        };
        for text in ["a b#'$", "a b#'$\n", "a b#'$\r\n"] {
            assert_eq!(read(text.as_bytes()).as_deref(), Ok("a b#'$"));
        }
        assert_eq!(read(" a ".as_bytes()).as_deref(), Ok(" a "));
        let limit = usize::try_from(MAX_KIBIBYTES * 1024).unwrap();
        assert_eq!(read(&vec![b'a'; limit]).map(|text| text.len()), Ok(limit));
        for (bytes, problem) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b" \r\n", "empty"),
            (b"a\n\n", "more than one line"),
            (b"a\nb", "more than one line"),
            (b"a\0", "control character"),
            (b"a\xff", "UTF-8"),
            (&vec![b'a'; limit + 1], "larger than 16 KiB"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
