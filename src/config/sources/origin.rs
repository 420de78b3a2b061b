//! Where a setting was set, for messages.

use rocket::figment::value::Value;
use rocket::figment::{Figment, Source};

use crate::config::error::ConfigError;

/// Where a setting was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A variable of this name.
    Environment(String),
    File(String),
    /// The figment of the program itself.
    Program,
}

impl Origin {
    /// Adds the table, if the setting is in a file.
    pub(crate) fn in_table(self, table: &str) -> Self {
        match self {
            Self::File(file) => Self::File(format!("`{table}` of {file}")),
            Self::Environment(_) | Self::Program => self,
        }
    }

    /// The key and where it was set.
    pub(crate) fn name(&self, key: &str) -> String {
        match self {
            Self::Environment(name) => format!("`{key}` (`{name}` in the environment or .env)"),
            Self::File(file) => format!("`{key}` (in {file})"),
            Self::Program => format!("`{key}`"),
        }
    }

    pub(crate) fn error(&self, key: &str, problem: &str) -> ConfigError {
        ConfigError(format!("{} {problem}", self.name(key)))
    }
}

/// Where the value of one of Rocket's keys was set.
pub(crate) fn origin(figment: &Figment, key: &str, value: &Value) -> Origin {
    // A merged table has lost its own tag, but its values have theirs.
    let mut inner = value;
    while let Some(first) = inner.as_dict().and_then(|dict| dict.values().next()) {
        inner = first;
    }
    let Some(metadata) = figment.get_metadata(inner.tag()) else {
        return Origin::Program;
    };
    match &metadata.source {
        Some(Source::File(path)) => Origin::File(path.display().to_string()),
        // Figment's provider of the environment differs from others only by its name.
        _ if metadata.name.contains("environment") => {
            Origin::Environment(format!("ROCKET_{}", key.to_ascii_uppercase()))
        }
        _ => Origin::Program,
    }
}
