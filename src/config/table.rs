//! Looks settings up by key, and remembers where each came from.

use std::collections::BTreeMap;
use std::env;
use std::ops::RangeInclusive;
use std::time::Duration;

use rocket::figment::value::{Dict, Value};
use rocket::figment::{Figment, Source};

use super::error::ConfigError;
use super::service_link::is_service_link;
use super::spelling::nearest;

/// Every key that may be set, for the check of misspelt ones.
pub(super) const KEYS: [&str; 19] = [
    "redis_url",
    "upstash_redis_rest_url",
    "upstash_redis_rest_token",
    "store_path",
    "store_cache_mb",
    "idle_timeout_secs",
    "absolute_timeout_secs",
    "max_sessions_per_user",
    "public_url",
    "sign_in",
    "open_to_the_world",
    "redis_timeout_ms",
    "redis_connections",
    "redis_ca_file",
    "redis_cert_file",
    "redis_key_file",
    "drain_secs",
    "metrics_address",
    "log_format",
];

/// Those that name a Redis.
pub(super) const REDIS_KEYS: [&str; 3] = [
    "redis_url",
    "upstash_redis_rest_url",
    "upstash_redis_rest_token",
];

const PREFIX: &str = "INNKEEPER_";

/// Our table in Rocket's configuration.
const TABLE: &str = "innkeeper";

/// The names that the tutorial and most Redis tools use, read as if they began with our prefix.
pub(super) const ALSO: [&str; 3] = [
    "REDIS_URL",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
];

/// Our settings by key.
pub(super) struct Table {
    settings: BTreeMap<String, Setting>,
    /// Variables of ours without a value: key and name.
    empty: Vec<(String, String)>,
}

struct Setting {
    value: Value,
    origin: Origin,
}

enum Origin {
    Environment(String),
    File(String),
    Code,
}

impl Table {
    pub(super) fn read(figment: &Figment) -> Result<Self, ConfigError> {
        let configured = match figment.extract_inner::<Dict>(TABLE) {
            Ok(dict) => dict,
            Err(error) if error.missing() => {
                refuse_nearly_ours(figment)?;
                Dict::new()
            }
            Err(_) => {
                return Err(ConfigError(
                    "`innkeeper` must be a table, `[default.innkeeper]` in Rocket.toml".to_owned(),
                ));
            }
        };
        if figment.profiles().any(|profile| profile == "innkeeper") {
            // To Rocket this is a profile of that name, whose settings nobody reads.
            return Err(ConfigError(
                "`[innkeeper]` in Rocket.toml must be `[default.innkeeper]`".to_owned(),
            ));
        }
        let (mut settings, mut empty) = (BTreeMap::new(), Vec::new());
        for (key, value) in configured {
            let origin = origin(figment, &key);
            settings.insert(key, Setting { value, origin });
        }
        for (key, name, text) in environment()? {
            let in_code = |setting: &Setting| matches!(setting.origin, Origin::Code);
            if settings.get(&key).is_some_and(in_code) {
                continue;
            }
            if text.is_empty() {
                empty.push((key, name));
            } else {
                let setting = Setting {
                    value: Value::from(text),
                    origin: Origin::Environment(name),
                };
                settings.insert(key, setting);
            }
        }
        Ok(Self { settings, empty })
    }

    /// For keys without which something quite different would happen: those that are set and empty, but for those of
    /// a program's own.
    pub(super) fn refuse_empty(&self, keys: &[&str]) -> Result<(), ConfigError> {
        let variables = self.empty.iter().map(|(key, _)| key);
        let of_files = self.settings.iter().filter_map(|(key, setting)| {
            let is_empty = matches!(&setting.value, Value::String(_, text) if text.is_empty());
            (is_empty && matches!(setting.origin, Origin::File(_))).then_some(key)
        });
        let mut all = variables.chain(of_files);
        match all.find(|key| keys.contains(&key.as_str())) {
            Some(key) => Err(self.error(
                key,
                "is empty, so sessions would be kept in the embedded store: give it a value, or take it away if that \
                 is what you want",
            )),
            None => Ok(()),
        }
    }

    pub(super) fn refuse_unknown(&self, known: &[&str]) -> Result<(), ConfigError> {
        let all = self
            .settings
            .keys()
            .chain(self.empty.iter().map(|(key, _)| key));
        let Some(key) = all.into_iter().find(|key| !known.contains(&key.as_str())) else {
            return Ok(());
        };
        let meant = if rocket::Config::PARAMETERS.contains(&key.as_str()) {
            format!(
                "it is one of Rocket's, `ROCKET_{}`",
                key.to_ascii_uppercase()
            )
        } else {
            match nearest(key, known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("there are: {}", known.join(", ")),
            }
        };
        Err(self.error(key, &format!("is not a setting; {meant}")))
    }

    /// A text; `None` where it is not set, or empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        match self.settings.get(key).map(|setting| &setting.value) {
            Some(Value::String(_, text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.error(key, "must be a text, in quotes")),
            None => Ok(None),
        }
    }

    pub(super) fn parsed<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(key)?
            .map(|text| parse(text).map_err(|problem| self.error(key, problem)))
            .transpose()
    }

    pub(super) fn one_of(&self, key: &str, choices: &[&str]) -> Result<Option<&str>, ConfigError> {
        match self.text(key)? {
            Some(text) if !choices.contains(&text) => Err(self.error(
                key,
                &format!("must be `{}`, and is `{text}`", choices.join("` or `")),
            )),
            choice => Ok(choice),
        }
    }

    /// A number; a text from the environment is read as one.
    pub(super) fn whole(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        let Some(text) = self.text_of(key) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(self.error(
                key,
                &format!(
                    "must be a whole number from {} to {}, and is `{text}`",
                    range.start(),
                    range.end()
                ),
            )),
        }
    }

    /// A length of time in seconds, up to ten years.
    pub(super) fn seconds(&self, key: &str, least: u64) -> Result<Option<Duration>, ConfigError> {
        Ok(self
            .whole(key, least..=315_360_000)?
            .map(Duration::from_secs))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(text) = self.text_of(key) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| self.error(key, &format!("must be `true` or `false`, and is `{text}`")))
    }

    /// Whether a program has set it in its figment, and to something.
    pub(super) fn is_of_program(&self, key: &str) -> bool {
        let setting = self.settings.get(key);
        setting.is_some_and(|setting| matches!(setting.origin, Origin::Code))
            && self.text_of(key).is_some()
    }

    /// Whether a variable has set it.
    pub(super) fn is_of_environment(&self, key: &str) -> bool {
        let setting = self.settings.get(key);
        setting.is_some_and(|setting| matches!(setting.origin, Origin::Environment(_)))
    }

    /// The key and where it was set.
    pub(super) fn name(&self, key: &str) -> String {
        match self.settings.get(key).map(|setting| &setting.origin) {
            Some(Origin::Environment(name)) => {
                format!("`{key}` (`{name}` in the environment or .env)")
            }
            Some(Origin::File(file)) => format!("`{key}` (in {file})"),
            Some(Origin::Code) | None => match self.empty.iter().find(|(empty, _)| empty == key) {
                Some((_, name)) => format!("`{key}` (`{name}` in the environment or .env)"),
                None => format!("`{key}`"),
            },
        }
    }

    pub(super) fn error(&self, key: &str, problem: &str) -> ConfigError {
        ConfigError(format!("{} {problem}", self.name(key)))
    }

    /// A setting that is no secret, as it would be typed.
    fn text_of(&self, key: &str) -> Option<String> {
        let text = match &self.settings.get(key)?.value {
            Value::String(_, text) => text.clone(),
            Value::Bool(_, flag) => flag.to_string(),
            Value::Num(_, number) => match number.to_i128() {
                Some(whole) => whole.to_string(),
                None => number
                    .to_u128()
                    .map_or_else(|| "a fraction".to_owned(), |whole| whole.to_string()),
            },
            Value::Char(..) | Value::Empty(..) | Value::Dict(..) | Value::Array(..) => {
                "neither text nor number".to_owned()
            }
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

fn origin(figment: &Figment, key: &str) -> Origin {
    let Some(metadata) = figment.find_metadata(&format!("innkeeper.{key}")) else {
        return Origin::Code;
    };
    match &metadata.source {
        Some(Source::File(path)) => Origin::File(path.display().to_string()),
        // `ROCKET_INNKEEPER={..}`: figment marks the environment by name only.
        _ if metadata.name.contains("environment") => Origin::File(metadata.name.to_string()),
        _ => Origin::Code,
    }
}

/// A table that is not ours, and is nearly called so; only for where ours is not there: an application may have it.
fn refuse_nearly_ours(figment: &Figment) -> Result<(), ConfigError> {
    let keys = figment.extract::<Dict>().unwrap_or_default();
    let tables = keys.keys().map(|key| format!("[default.{key}]"));
    let profiles = figment.profiles().map(|profile| format!("[{profile}]"));
    for name in tables.chain(profiles) {
        let word = name.trim_start_matches("[default.");
        let word = word.trim_start_matches('[').trim_end_matches(']');
        if word != TABLE && nearest(word, [TABLE]).is_some() {
            return Err(ConfigError(format!(
                "`{name}` in Rocket.toml is no table of settings; did you mean `[default.{TABLE}]`?"
            )));
        }
    }
    Ok(())
}

/// Our variables as (key, name, text), the ones with our prefix last so that they win.
fn environment() -> Result<Vec<(String, String, String)>, ConfigError> {
    let mut general = Vec::new();
    let mut prefixed = Vec::new();
    for (name, text) in env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        let (found, key) = match name.strip_prefix(PREFIX) {
            Some(key) if is_service_link(key, &text.to_string_lossy()) => continue,
            Some(key) => (&mut prefixed, key),
            None if ALSO.contains(&name.as_str()) => (&mut general, name.as_str()),
            None => {
                refuse_nearly_prefixed(&name)?;
                continue;
            }
        };
        let key = key.to_ascii_lowercase();
        let text = text
            .into_string()
            .map_err(|_| ConfigError(format!("`{name}` in the environment is not UTF-8")))?;
        found.push((key, name, text));
    }
    general.extend(prefixed);
    Ok(general)
}

/// A variable whose prefix is misspelt, or not in capitals.
fn refuse_nearly_prefixed(name: &str) -> Result<(), ConfigError> {
    let split = name
        .char_indices()
        .map(|(place, _)| name.split_at(place))
        .filter(|(prefix, _)| nearest(prefix, [PREFIX]).is_some());
    for (_, key) in split {
        let key = nearest(key, KEYS);
        if let Some(key) = key {
            return Err(ConfigError(format!(
                "`{name}` in the environment or .env is not a setting; did you mean `{PREFIX}{}`?",
                key.to_ascii_uppercase()
            )));
        }
    }
    Ok(())
}
