//! .env, which only the program reads.

use std::path::{Path, PathBuf};

use super::files::absolute;

/// Adds the variables of `.env` in the working directory to the environment, whose own win, and returns the file's
/// path. Call it before there are other threads.
///
/// Folders above are not searched: others may write there.
pub(crate) fn read_env_file() -> Result<Option<PathBuf>, String> {
    let file = Path::new(".env");
    // Python keeps virtual environments in folders of that name.
    if file.is_dir() {
        return Ok(None);
    }
    match dotenvy::from_path(file) {
        Ok(()) => Ok(Some(absolute(file))),
        Err(error) if error.not_found() => Ok(None),
        // The error itself would show the line, which may hold a password.
        Err(dotenvy::Error::Io(error)) => Err(format!(".env cannot be read: {error}")),
        Err(_) => Err(
            ".env has a line that is not NAME=value (a value with spaces or # needs quotes)"
                .to_owned(),
        ),
    }
}
