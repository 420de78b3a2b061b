//! What is wrong with the settings.

/// What is wrong with a setting. Names the key and where it was set; never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);
