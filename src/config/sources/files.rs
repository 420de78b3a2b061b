//! Rocket.toml.

use std::collections::HashSet;
use std::path::{self, Path, PathBuf};

use rocket::config::{Ident, Shutdown};
use rocket::figment::providers::{Env, Format, Toml};
use rocket::figment::{self, Figment, Profile, Provider};

/// Rocket's own figment with five differences: no `Server` header, no client address from a header, none of Rocket's
/// printing, SIGTERM is left to the program, and on two cores there is one worker.
///
/// Read from the file that is named here, else the one that `ROCKET_CONFIG` names, else `Rocket.toml` of the working
/// directory; and from the environment.
/// (Rocket itself would look for the file in all folders above too, where others may write.)
pub(crate) fn rocket_figment(named: Option<&Path>) -> Result<Figment, String> {
    let defaults = rocket::Config {
        ident: Ident::none(),
        // Any client could send that header; an operator with a proxy sets it.
        ip_header: None,
        // `launch` handles SIGTERM.
        shutdown: Shutdown {
            signals: HashSet::new(),
            ..Shutdown::default()
        },
        // One thread needs no scheduler, and leaves the other core to Redis and the proxy: see the chapter "Operating it".
        workers: match rocket::Config::default().workers {
            0..=2 => 1,
            cores => cores,
        },
        ..rocket::Config::default()
    };
    let mut figment = Figment::from(defaults);
    if let Some(path) = file(named)? {
        let file = Toml::file_exact(&path).nested();
        file.data().map_err(|error| unreadable(&path, &error))?;
        figment = figment.merge(file);
    }
    Ok(figment
        .merge(
            Env::prefixed("ROCKET_")
                .ignore(&["PROFILE", "CONFIG"])
                .global(),
        )
        .select(Profile::from_env_or(
            "ROCKET_PROFILE",
            rocket::Config::DEFAULT_PROFILE,
        ))
        // Wins over every source: Rocket's own printing shows cookies and bodies, and we have a log of our own.
        .merge(("log_level", "off")))
}

/// The file to read. `None` if there is none and none is named.
fn file(named: Option<&Path>) -> Result<Option<PathBuf>, String> {
    const VARIABLE: &str = "ROCKET_CONFIG";
    let variable = Env::var(VARIABLE).filter(|name| !name.is_empty());
    let (by, path) = match (named, &variable) {
        (Some(path), _) => ("--config", path),
        (None, Some(path)) => (VARIABLE, Path::new(path)),
        (None, None) => {
            let usual = Path::new("Rocket.toml");
            return Ok(usual.is_file().then(|| absolute(usual)));
        }
    };
    let path = absolute(path);
    if path.is_file() {
        return Ok(Some(path));
    }
    let problem = if path.exists() {
        "is not a file"
    } else {
        "is not there"
    };
    Err(format!(
        "`{by}` names the file {}, which {problem}",
        path.display()
    ))
}

/// Names only the line's number: the rest of the parser's message shows the line, which may hold a password.
fn unreadable(path: &Path, error: &figment::Error) -> String {
    let error = error.to_string();
    let place = error.lines().next().unwrap_or_default();
    format!(
        "{} cannot be read: {place}. Settings stand in tables such as `[default]` and `[default.innkeeper]`",
        path.display()
    )
}

/// For messages, so that they show which file it is.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
