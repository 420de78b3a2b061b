//! The sources of settings, files and the environment, and their precedence.

#[cfg(feature = "program")]
pub(crate) mod env_file;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod misspelt;
pub(crate) mod origin;
pub(crate) mod secret_file;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rocket::figment::error::Kind;
use rocket::figment::value::{Dict, Empty, Value};
use rocket::figment::{self, Figment};

use self::environment::variables;
use self::origin::{Origin, origin};
use super::error::{ConfigError, nearest};
use super::settings::{NO_TEXT, SECRETS, Settings};

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

    /// Reads the secrets that stand in files of their own.
    ///
    /// What the environment names and systemd's credentials win over Rocket.toml, and what the program names wins over
    /// all. Two of the same rank are an error: one of them may be left from before.
    pub(crate) fn with_secrets(mut self) -> Result<Self, ConfigError> {
        for key in SECRETS {
            let file_key = &format!("{key}_file");
            let written = (!self.is_empty(key)).then(|| self.origin(key).clone());
            let named = self.text(file_key).map(|path| Origin::SecretFile {
                path: files::absolute(Path::new(path)),
                named_in: Box::new(self.origin(file_key).clone()),
            });
            let credential = secret_file::credential(key).map(Origin::Credential);
            let mut found: Vec<_> = [written, named, credential].into_iter().flatten().collect();
            found.sort_by_key(|origin| Reverse(origin.rank()));
            let (first, second) = (found.first(), found.get(1));
            if let (Some(first), Some(second)) = (first, second)
                && first.rank() == second.rank()
            {
                return Err(ConfigError(format!(
                    "{} and {} are both set; keep one of them",
                    first.giver(key),
                    second.giver(key)
                )));
            }
            if let Some(origin) = first
                && let Some(path) = origin.secret_file()
            {
                let text = secret_file::read(path);
                let text = text.map_err(|problem| origin.unreadable(key, &problem))?;
                let (value, origin) = (Value::from(text), origin.clone());
                self.0.insert(key.to_owned(), Setting { value, origin });
            } else if first.is_some() {
                // It has lost against a value of a higher rank.
                self.0.remove(file_key);
            }
        }
        Ok(self)
    }

    /// The files of [`with_secrets`](Self::with_secrets).
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        let origins = self.0.values().map(|it| it.origin.secret_file());
        origins.flatten().map(Path::to_owned).collect()
    }

    /// The value as it was set; `None` for an empty text.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        let value = self.0.get(key).map(|setting| &setting.value);
        value.filter(|value| !matches!(value, Value::Empty(..)))
    }

    /// The value, where it is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.value(key)?.as_str()
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
        self.value(key).is_none()
    }

    /// Whether the program itself has set it.
    pub(crate) fn is_of_program(&self, key: &str) -> bool {
        !self.is_empty(key) && self.origin(key).is_program()
    }

    /// Whether a variable or a file has set it to an empty text.
    pub(crate) fn is_emptied(&self, key: &str) -> bool {
        self.is_empty(key) && !self.origin(key).is_program()
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
