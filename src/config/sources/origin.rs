//! Where a setting was set, for messages.

use std::path::{Path, PathBuf};

use rocket::figment::value::Value;
use rocket::figment::{Figment, Source};

use crate::config::error::ConfigError;

/// Where a setting was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A variable of this name.
    Environment(String),
    File(String),
    /// A file that holds this secret alone, and where its name was set.
    SecretFile {
        path: PathBuf,
        named_in: Box<Self>,
    },
    /// One of systemd's credentials.
    Credential(PathBuf),
    /// The figment of the program itself.
    Program,
}

impl Origin {
    /// Adds the table, if the setting is in a file.
    pub(crate) fn in_table(self, table: &str) -> Self {
        match self {
            Self::File(file) => Self::File(format!("`{table}` of {file}")),
            Self::Environment(_)
            | Self::SecretFile { .. }
            | Self::Credential(_)
            | Self::Program => self,
        }
    }

    /// Whether the program itself has set it.
    pub(crate) fn is_program(&self) -> bool {
        match self {
            Self::Program => true,
            Self::SecretFile { named_in, .. } => named_in.is_program(),
            Self::Environment(_) | Self::File(_) | Self::Credential(_) => false,
        }
    }

    /// Of two that set the same, the one of the higher rank wins.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::File(_) => 0,
            Self::Environment(_) | Self::Credential(_) => 1,
            Self::Program => 2,
            Self::SecretFile { named_in, .. } => named_in.rank(),
        }
    }

    /// The file that holds this secret alone.
    pub(crate) fn secret_file(&self) -> Option<&Path> {
        match self {
            Self::SecretFile { path, .. } | Self::Credential(path) => Some(path),
            Self::Environment(_) | Self::File(_) | Self::Program => None,
        }
    }

    /// The key and where it was set.
    pub(crate) fn name(&self, key: &str) -> String {
        match self {
            Self::Environment(name) => format!("`{key}` (`{name}` in the environment or .env)"),
            Self::File(file) => format!("`{key}` (in {file})"),
            Self::SecretFile { path, named_in } => {
                let path = path.display();
                match &**named_in {
                    Self::Environment(name) => {
                        format!("`{key}` (in {path}, named by `{name}` in the environment or .env)")
                    }
                    Self::File(file) => format!("`{key}` (in {path}, named in {file})"),
                    Self::SecretFile { .. } | Self::Credential(_) | Self::Program => {
                        format!("`{key}` (in {path})")
                    }
                }
            }
            Self::Credential(path) => {
                format!("`{key}` (in the credential {})", path.display())
            }
            Self::Program => format!("`{key}`"),
        }
    }

    /// What gives a secret: the setting itself, the one that names its file, or a credential.
    pub(crate) fn giver(&self, key: &str) -> String {
        match self {
            Self::SecretFile { named_in, .. } => named_in.name(&format!("{key}_file")),
            Self::Credential(path) => format!("the credential {}", path.display()),
            Self::Environment(_) | Self::File(_) | Self::Program => self.name(key),
        }
    }

    /// The secret cannot be read from its file; `problem` is the end of the sentence.
    pub(crate) fn unreadable(&self, key: &str, problem: &str) -> ConfigError {
        let giver = self.giver(key);
        ConfigError(match self {
            Self::SecretFile { path, .. } => {
                format!("{giver} names {}, which {problem}", path.display())
            }
            Self::Environment(_) | Self::File(_) | Self::Credential(_) | Self::Program => {
                format!("{giver} {problem}")
            }
        })
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
