//! The sources of settings, files and the environment, and their precedence.

#[cfg(feature = "program")]
pub(crate) mod env_file;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod misspelt;
pub(crate) mod origin;

use std::collections::BTreeMap;

use rocket::figment::error::Kind;
use rocket::figment::value::{Dict, Empty, Value};
use rocket::figment::{self, Figment};

use self::environment::variables;
use self::origin::{Origin, origin};
use super::error::{ConfigError, nearest};
use super::settings::{NO_TEXT, Settings};

/// Our table in Rocket's configuration.
const TABLE: &str = "innkeeper";

/// The settings by key, and where each was set.
pub(crate) struct Sources(BTreeMap<String, Setting>);

struct Setting {
    /// [`Value::Empty`] for an empty text.
    value: Value,
    origin: Origin,
}

impl Sources {
    /// Reads the table `innkeeper` of the figment, and the environment: values of the program itself win over
    /// variables, and these over files.
    pub(crate) fn read(figment: &Figment) -> Result<Self, ConfigError> {
        let configured = table(figment)?.into_iter().map(|(key, value)| {
            let origin = origin(figment, TABLE, &value);
            (key, value, origin)
        });
        let mut settings: BTreeMap<_, Setting> = BTreeMap::new();
        for (key, value, origin) in configured.chain(variables()?) {
            let is_empty = value.as_str() == Some("");
            let earlier = settings.get(&key);
            // An empty variable is the same as none.
            if earlier.is_none_or(|it| it.origin != Origin::Program && !is_empty) {
                let value = if is_empty { Empty::None.into() } else { value };
                settings.insert(key, Setting { value, origin });
            }
        }
        Ok(Self(settings))
    }

    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let values = self
            .0
            .iter()
            .map(|(key, it)| (key.clone(), it.value.clone()));
        let settings = Value::from(values.collect::<Dict>()).deserialize();
        settings.map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &figment::Error) -> ConfigError {
        let key = error.path.first().map_or(TABLE, String::as_str);
        let problem = if let Kind::Message(problem) = &error.kind {
            problem
        } else if let Kind::UnknownField(..) = error.kind {
            &Settings::unknown(key)
        } else {
            // Every setting without a parser is a text.
            NO_TEXT
        };
        self.error(key, problem)
    }

    /// One setting without the others.
    pub(crate) fn only(mut self, key: &str) -> Self {
        self.0.retain(|other, _| other == key);
        self
    }

    /// Whether it is not set, or to an empty text.
    fn is_empty(&self, key: &str) -> bool {
        self.0
            .get(key)
            .is_none_or(|it| matches!(it.value, Value::Empty(..)))
    }

    /// Whether the program itself has set it.
    pub(crate) fn is_of_program(&self, key: &str) -> bool {
        !self.is_empty(key) && *self.origin(key) == Origin::Program
    }

    /// Whether a variable or a file has set it to an empty text.
    pub(crate) fn is_emptied(&self, key: &str) -> bool {
        self.is_empty(key) && *self.origin(key) != Origin::Program
    }

    /// Where it was set; [`Origin::Program`] if it is not set.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        let setting = self.0.get(key);
        setting.map_or(&Origin::Program, |setting| &setting.origin)
    }

    /// Two settings that must be set together.
    pub(crate) fn pair<A, B>(
        &self,
        (key, value): (&str, Option<A>),
        (other_key, other): (&str, Option<B>),
    ) -> Result<Option<(A, B)>, ConfigError> {
        match (value, other) {
            (Some(value), Some(other)) => Ok(Some((value, other))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.error(key, &format!("needs `{other_key}` beside it"))),
            (None, Some(_)) => Err(self.error(other_key, &format!("needs `{key}` beside it"))),
        }
    }

    pub(crate) fn error(&self, key: &str, problem: &str) -> ConfigError {
        self.origin(key).error(key, problem)
    }
}

/// Our table; empty if there is none.
fn table(figment: &Figment) -> Result<Dict, ConfigError> {
    if figment.profiles().any(|profile| profile == TABLE) {
        // To Rocket this is a profile of that name, which is not read.
        return Err(ConfigError(format!(
            "`[{TABLE}]` in Rocket.toml must be `[default.{TABLE}]`"
        )));
    }
    match figment.extract_inner(TABLE) {
        Err(error) if error.missing() => check_table_name(figment).map(|()| Dict::new()),
        table => table.map_err(|_| {
            ConfigError(format!(
                "`{TABLE}` must be a table, `[default.{TABLE}]` in Rocket.toml"
            ))
        }),
    }
}

/// Refuses a table whose name is nearly ours. Only where ours is missing: an application may have one of that name.
fn check_table_name(figment: &Figment) -> Result<(), ConfigError> {
    let keys = figment.extract::<Dict>().unwrap_or_default().into_keys();
    let tables = keys.map(|key| (format!("[default.{key}]"), key));
    let profiles = figment
        .profiles()
        .map(|profile| (format!("[{profile}]"), profile.to_string()));
    let mut all = tables.chain(profiles);
    match all.find(|(_, name)| nearest(name, &[TABLE]).is_some()) {
        None => Ok(()),
        Some((name, _)) => Err(ConfigError(format!(
            "`{name}` in Rocket.toml is no table of settings; did you mean `[default.{TABLE}]`?"
        ))),
    }
}
