//! The application's own fields of a session.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::FieldError;

/// The most characters of a field's name.
const MAX_NAME_CHARS: usize = 64;
/// The most bytes of a field's value, written as JSON.
const MAX_VALUE_BYTES: usize = 4096;
/// The most fields of one session.
pub(super) const MAX_FIELDS: usize = 32;

pub(super) fn check_name(name: &str) -> Result<(), FieldError> {
    let is_valid = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && !name.starts_with('_')
        && name != "user"
        && name != "status";
    if is_valid {
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

/// Reads JSON; another program may have written plain text.
pub(super) fn from_text<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, FieldError> {
    serde_json::from_str(text)
        .or_else(|source| T::deserialize(Value::from(text)).map_err(|_| source))
        .map_err(|source| FieldError::Json {
            name: name.to_owned(),
            source,
        })
}
