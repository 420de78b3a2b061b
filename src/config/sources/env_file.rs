//! .env, which only the program reads.

use std::env;
use std::path::{Path, PathBuf};

use rocket::figment::Figment;

use super::files::absolute;

/// What was read from `.env`.
#[derive(Debug)]
pub(crate) struct EnvFile {
    pub(crate) path: PathBuf,
    /// The names of its variables, without those that the environment had already, whose values win.
    pub(crate) variables: Vec<String>,
}

/// Adds the variables of `.env` in the working directory to the environment, whose own win. Call it before there are other
/// threads.
///
/// Folders above are not searched: others may write there.
pub(crate) fn read_env_file() -> Result<Option<EnvFile>, String> {
    let file = Path::new(".env");
    // Python keeps virtual environments in folders of that name.
    if file.is_dir() {
        return Ok(None);
    }
    let variables = match dotenvy::from_path_iter(file) {
        Ok(lines) => lines.filter_map(|line| Some(line.ok()?.0)),
        Err(error) if error.not_found() => return Ok(None),
        Err(error) => return Err(unreadable_env_file(error)),
    };
    let variables = variables
        .filter(|name| env::var_os(name).is_none())
        .collect();
    // Only now, when it is known which of them are new.
    dotenvy::from_path(file).map_err(unreadable_env_file)?;
    let path = absolute(file);
    Ok(Some(EnvFile { path, variables }))
}

/// Without the line, which may hold a password.
fn unreadable_env_file(error: dotenvy::Error) -> String {
    if let dotenvy::Error::Io(error) = error {
        return format!(".env cannot be read: {error}");
    }
    ".env has a line that is not NAME=value (a value with spaces or # needs quotes)".to_owned()
}

/// Names the files that settings are read from, and the environment.
pub(crate) fn describe(figment: &Figment, env_file: Option<&EnvFile>) -> String {
    let env_file = env_file.map(|file| file.path.as_path());
    let files: Vec<_> = figment
        .metadata()
        .filter_map(|metadata| metadata.source.as_ref()?.file_path())
        .chain(env_file)
        .map(|path| path.display().to_string())
        .collect();
    if files.is_empty() {
        return "settings are read from the environment; there is no Rocket.toml and no .env in this folder".to_owned();
    }
    format!(
        "settings are read from {} and the environment",
        files.join(", ")
    )
}
