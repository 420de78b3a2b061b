//! Refuses settings of the program that nothing reads: with a misspelt one it would start on defaults.
//!
//! For the program only: in another application most of these names may be its own.

use rocket::figment::value::{Empty, Value};
use rocket::figment::{Figment, Profile, Provider};

use crate::config::error::{ConfigError, nearest};
use crate::config::settings::Settings;
use crate::config::sources::origin::{Origin, origin};

/// The keys of Rocket's table `shutdown`. (Those of its other table, `limits`, are free.)
const SHUTDOWN: [&str; 5] = ["ctrlc", "signals", "grace", "mercy", "force"];

/// The profiles that Rocket itself uses.
const PROFILES: [&str; 4] = ["default", "global", "debug", "release"];

/// Refuses unknown keys and tables, in any profile.
pub(crate) fn check(figment: &Figment) -> Result<(), ConfigError> {
    check_profile_names(figment)?;
    let profiles = figment.data();
    for (profile, keys) in profiles.map_err(|error| ConfigError(error.to_string()))? {
        for (key, value) in &keys {
            check_key(figment, &profile, key, value)?;
            if key == "shutdown" {
                check_shutdown(figment, value)?;
            }
            if key == "innkeeper" {
                check_our_table(figment, &profile, value)?;
            }
        }
    }
    check_tls(figment)
}

/// To Rocket every table of the file is a profile, and it reads only the selected one.
fn check_profile_names(figment: &Figment) -> Result<(), ConfigError> {
    let selected = figment.profile().as_str().as_str();
    let found: Vec<_> = figment
        .profiles()
        .map(|profile| profile.as_str().as_str())
        .collect();
    let is_selected_found = PROFILES.contains(&selected) || found.contains(&selected);
    for name in found
        .iter()
        .filter(|name| !PROFILES.contains(name) && **name != selected)
    {
        // Where the selected table exists, one of nearly its name (`[node1]`, `[node2]`) is another instance's.
        let missing = (!is_selected_found).then_some(selected);
        if let Some(known) = nearest(name, &[&PROFILES, missing.as_slice()].concat()) {
            return Err(ConfigError(format!(
                "`[{name}]` in Rocket.toml is no profile that is used; did you mean `[{known}]`?"
            )));
        }
    }
    match nearest(selected, &[&PROFILES[..], &found].concat()) {
        Some(known) if !is_selected_found => Err(ConfigError(format!(
            "`ROCKET_PROFILE` is `{selected}`, of which there are no settings; did you mean `{known}`?"
        ))),
        _ => Ok(()),
    }
}

fn check_key(
    figment: &Figment,
    profile: &Profile,
    key: &str,
    value: &Value,
) -> Result<(), ConfigError> {
    let known = [rocket::Config::PARAMETERS, &["innkeeper", "template_dir"]].concat();
    if known.contains(&key) {
        return Ok(());
    }
    let origin = origin(figment, key, value).in_table(&format!("[{profile}]"));
    let is_in_file = matches!(origin, Origin::File(_));
    let upper = str::to_ascii_uppercase;
    let problem = match (nearest(key, Settings::keys()), nearest(key, &known)) {
        (Some(ours), _) if is_in_file => format!("must be `{ours}` in `[default.innkeeper]`"),
        (Some(ours), _) => format!("must be `INNKEEPER_{}`", upper(ours)),
        (None, Some("innkeeper")) if is_in_file => {
            "is no table of settings; did you mean `[default.innkeeper]`?".to_owned()
        }
        (None, Some(known)) if is_in_file => format!("is not a setting; did you mean `{known}`?"),
        (None, Some(known)) => format!("is not a setting; did you mean `ROCKET_{}`?", upper(known)),
        (None, None) if is_in_file => {
            "is not a setting, neither Rocket's nor Innkeeper's".to_owned()
        }
        (None, None) => {
            "is none of Rocket's settings; if it is another program's, start Innkeeper without it"
                .to_owned()
        }
    };
    Err(origin.error(key, &problem))
}

fn check_shutdown(figment: &Figment, shutdown: &Value) -> Result<(), ConfigError> {
    let Some((key, value)) = unknown(shutdown, &SHUTDOWN) else {
        return Ok(());
    };
    let problem = format!("is not a setting; there are: {}", SHUTDOWN.join(", "));
    Err(origin(figment, "shutdown", value).error(&format!("shutdown.{key}"), &problem))
}

/// Our table, in whichever profile: one that is not selected now may be later.
fn check_our_table(figment: &Figment, profile: &Profile, table: &Value) -> Result<(), ConfigError> {
    let Some((key, value)) = unknown(table, Settings::keys()) else {
        return Ok(());
    };
    let origin = origin(figment, "innkeeper", value).in_table(&format!("[{profile}.innkeeper]"));
    Err(origin.error(key, &Settings::unknown(key)))
}

/// The first unknown key of a table.
fn unknown<'a>(table: &'a Value, known: &[&str]) -> Option<(&'a str, &'a Value)> {
    let mut keys = table
        .as_dict()?
        .iter()
        .map(|(key, value)| (key.as_str(), value));
    keys.find(|(key, _)| !known.contains(key))
}

/// Rocket without its feature `tls` ignores the setting and serves plain HTTP.
fn check_tls(figment: &Figment) -> Result<(), ConfigError> {
    let is_read = figment
        .extract::<rocket::Config>()
        .is_ok_and(|rocket| rocket.tls_enabled());
    let tls = figment
        .find_value("tls")
        .unwrap_or(Value::from(Empty::None));
    if is_read || matches!(tls, Value::Empty(..)) {
        return Ok(());
    }
    Err(origin(figment, "tls", &tls).error(
        "tls",
        "is set, and this program has no TLS: it would serve plain HTTP. Remove it, put a proxy with TLS in \
         front, and set `public_url`",
    ))
}
