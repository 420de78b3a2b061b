//! The application's own fields of a session.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::StoreError;

/// The most characters of a field's name.
pub(super) const MAX_NAME_CHARS: usize = 64;
/// The most bytes of a field's value, written as JSON.
pub(super) const MAX_VALUE_BYTES: usize = 4096;
/// The most fields of one session.
pub(super) const MAX_FIELDS: usize = 32;

/// Why a field was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// The name is empty, has over 64 characters, begins with `_`, or is `user` or `status`.
    #[error("`{0}` cannot be the name of a session's field")]
    Name(String),
    /// The value's JSON has over 4096 bytes.
    #[error("the session's field `{0}` is too large")]
    TooLarge(String),
    /// The session has 32 fields already, and this would be one more.
    #[error("the session has as many fields as it may have")]
    TooMany,
    /// The value cannot be written as JSON, or what is stored cannot be read as this type.
    #[error("the session's field `{name}` does not fit its type as JSON")]
    Json {
        /// The field.
        name: String,
        /// What serde says.
        #[source]
        source: serde_json::Error,
    },
    /// The session is over; nothing was written.
    #[error("the session has ended")]
    Ended,
    /// The store could not do it; it may or may not have been written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) fn check_name(name: &str) -> Result<(), FieldError> {
    let good = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && !name.starts_with('_')
        && name != "user"
        && name != "status";
    if good {
        Ok(())
    } else {
        Err(FieldError::Name(name.to_owned()))
    }
}

pub(super) fn to_text<T: Serialize>(name: &str, value: &T) -> Result<String, FieldError> {
    let text = serde_json::to_string(value).map_err(|source| FieldError::Json {
        name: name.to_owned(),
        source,
    })?;
    if text.len() > MAX_VALUE_BYTES {
        return Err(FieldError::TooLarge(name.to_owned()));
    }
    Ok(text)
}

/// Reads JSON; what is none was written by another program, and is a plain text.
pub(super) fn from_text<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, FieldError> {
    serde_json::from_str(text)
        .or_else(|source| T::deserialize(Value::from(text)).map_err(|_| source))
        .map_err(|source| FieldError::Json {
            name: name.to_owned(),
            source,
        })
}
