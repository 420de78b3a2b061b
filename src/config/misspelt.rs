//! What the program's own sources set and nobody reads: a misspelt setting must not start the defaults.
//!
//! Only for the program. In somebody else's application most of these names may be his own.

use std::env;

use rocket::figment::value::{Dict, Tag, Value};
use rocket::figment::{Figment, Profile, Provider, Source};

use super::error::ConfigError;
use super::spelling::nearest;
use super::table::{ALSO, KEYS};

/// Rocket's own tables whose keys are fixed; `limits` has names of one's own.
const SHUTDOWN: [&str; 5] = ["ctrlc", "signals", "grace", "mercy", "force"];

/// What a key of a profile may be besides Rocket's own.
const TABLES: [&str; 2] = ["innkeeper", "template_dir"];

/// Refuses what nobody reads.
pub(super) fn refuse(figment: &Figment) -> Result<(), ConfigError> {
    refuse_profiles(figment)?;
    for (profile, keys) in figment.data().map_err(|error| unreadable(&error))? {
        for (key, value) in &keys {
            let found = Found {
                figment,
                profile: &profile,
                key,
                value,
            };
            found.check()?;
        }
        if let Some(Value::Dict(_, shutdown)) = keys.get(rocket::Config::SHUTDOWN) {
            refuse_unknown_of_shutdown(figment, shutdown)?;
        }
    }
    refuse_tls(figment)
}

fn unreadable(error: &rocket::figment::Error) -> ConfigError {
    ConfigError(error.to_string())
}

fn known_to_a_profile() -> impl Iterator<Item = &'static str> {
    rocket::Config::PARAMETERS.iter().copied().chain(TABLES)
}

/// A setting directly in a profile, and where it was found.
struct Found<'a> {
    figment: &'a Figment,
    profile: &'a Profile,
    key: &'a str,
    value: &'a Value,
}

impl Found<'_> {
    fn check(&self) -> Result<(), ConfigError> {
        if known_to_a_profile().any(|known| known == self.key) {
            return Ok(());
        }
        let file = file_of(self.figment, self.value);
        let variable = format!("ROCKET_{}", self.key.to_ascii_uppercase());
        let name = match &file {
            Some(file) => format!("`{}` (in `[{}]` of {file})", self.key, self.profile),
            None => format!("`{variable}` in the environment or .env"),
        };
        let of_ours = |known: &str| match &file {
            Some(_) => format!("must be `{known}` in `[default.innkeeper]`"),
            None => format!("must be `INNKEEPER_{}`", known.to_ascii_uppercase()),
        };
        if let Some(known) = nearest(self.key, KEYS) {
            return Err(ConfigError(format!("{name} {}", of_ours(known))));
        }
        let problem = match (nearest(self.key, known_to_a_profile()), &file) {
            (Some("innkeeper"), Some(_)) => {
                "is no table of settings; did you mean `[default.innkeeper]`?".to_owned()
            }
            (Some(known), Some(_)) => format!("is not a setting; did you mean `{known}`?"),
            (Some(known), None) => format!(
                "is not a setting; did you mean `ROCKET_{}`?",
                known.to_ascii_uppercase()
            ),
            (None, Some(_)) => "is not a setting, neither Rocket's nor Innkeeper's".to_owned(),
            (None, None) => {
                "is none of Rocket's settings; if it is another program's, start Innkeeper without it"
                    .to_owned()
            }
        };
        Err(ConfigError(format!("{name} {problem}")))
    }
}

/// The file that a value stands in; `None`: it comes from the environment.
fn file_of(figment: &Figment, value: &Value) -> Option<String> {
    match &figment.get_metadata(tag_of(value))?.source {
        Some(Source::File(path)) => Some(path.display().to_string()),
        _ => None,
    }
}

/// A table's own tag is lost where tables are merged: its content's tells.
fn tag_of(value: &Value) -> Tag {
    if let Value::Dict(tag, dict) = value {
        return dict.values().next().map_or(*tag, tag_of);
    }
    value.tag()
}

fn refuse_unknown_of_shutdown(figment: &Figment, shutdown: &Dict) -> Result<(), ConfigError> {
    let unknown = shutdown
        .iter()
        .find(|(key, _)| !SHUTDOWN.contains(&key.as_str()));
    let Some((key, value)) = unknown else {
        return Ok(());
    };
    let place = file_of(figment, value).map_or_else(
        || "`ROCKET_SHUTDOWN` in the environment or .env".to_owned(),
        |file| format!("in {file}"),
    );
    Err(ConfigError(format!(
        "`shutdown.{key}` ({place}) is not a setting; there are: {}",
        SHUTDOWN.join(", ")
    )))
}

/// To Rocket every table is a profile, and only the selected one is read.
fn refuse_profiles(figment: &Figment) -> Result<(), ConfigError> {
    const BY_ROCKET: [&str; 4] = ["default", "global", "debug", "release"];
    let selected = figment.profile().as_str().as_str();
    let there: Vec<_> = figment
        .profiles()
        .map(|profile| profile.as_str().as_str())
        .collect();
    let is_known = |name: &str| BY_ROCKET.contains(&name);
    for name in there
        .iter()
        .filter(|name| !is_known(name) && **name != selected)
    {
        // Beside a table that is read, another of nearly its name (`[node1]`, `[node2]`) is another instance's.
        let missing = (!there.contains(&selected)).then_some(selected);
        if let Some(known) = nearest(name, BY_ROCKET.into_iter().chain(missing)) {
            return Err(ConfigError(format!(
                "`[{name}]` in Rocket.toml is no profile that is used; did you mean `[{known}]`?"
            )));
        }
    }
    if is_known(selected) || there.contains(&selected) {
        return Ok(());
    }
    match nearest(selected, BY_ROCKET.into_iter().chain(there)) {
        Some(known) => Err(ConfigError(format!(
            "`ROCKET_PROFILE` is `{selected}`, of which there are no settings; did you mean `{known}`?"
        ))),
        None => Ok(()),
    }
}

/// Rocket without the feature `tls` reads over it, and serves plain HTTP.
fn refuse_tls(figment: &Figment) -> Result<(), ConfigError> {
    let is_read = figment
        .extract::<rocket::Config>()
        .is_ok_and(|rocket| rocket.tls_enabled());
    let Ok(tls) = figment.find_value(rocket::Config::TLS) else {
        return Ok(());
    };
    if is_read || matches!(tls, Value::Empty(..)) {
        return Ok(());
    }
    let place = file_of(figment, &tls).map_or_else(
        || "`ROCKET_TLS` in the environment or .env".to_owned(),
        |file| format!("in {file}"),
    );
    Err(ConfigError(format!(
        "`tls` ({place}) is set, and this program has no TLS: it would serve plain HTTP. Take it away, put a proxy in \
         front that has TLS, and set `public_url`"
    )))
}

/// A misspelt address of Redis would be the embedded store, which starts without a word.
///
/// `REDIS_HOST` and the like are other programs', and those of a Redis in Kubernetes.
pub(super) fn refuse_nearly_a_store() -> Result<(), ConfigError> {
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if ALSO.contains(&&*name) {
            continue;
        }
        if let Some(known) = nearest(&name, ALSO) {
            return Err(ConfigError(format!(
                "`{name}` in the environment or .env is not a setting; did you mean `{known}`? If it is another \
                 program's, start Innkeeper without it"
            )));
        }
    }
    Ok(())
}

/// Our table in a profile that is not selected now, and will be.
pub(super) fn refuse_unknown_of_other_profiles(figment: &Figment) -> Result<(), ConfigError> {
    for (profile, keys) in figment.data().map_err(|error| unreadable(&error))? {
        let Some(Value::Dict(_, ours)) = keys.get("innkeeper") else {
            continue;
        };
        if let Some(key) = ours.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConfigError(format!(
                "`{key}` in `[{profile}.innkeeper]` of Rocket.toml is not a setting"
            )));
        }
    }
    Ok(())
}
