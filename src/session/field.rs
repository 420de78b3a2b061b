//! The fields of a session: the application's, and Innkeeper's own.

use std::collections::BTreeMap;

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
        && !is_own(name)
        && name != "user"
        && name != "status";
    if is_valid {
        Ok(())
    } else {
        Err(FieldError::Name(name.to_owned()))
    }
}

/// Whether a field is Innkeeper's own, and not the application's.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with('_')
}

/// Writes or removes (`None`) a field in the map that it belongs to by its name; `false`: `data` has `limit` others.
pub(crate) fn write(
    data: &mut BTreeMap<String, String>,
    own: &mut BTreeMap<String, String>,
    name: &str,
    value: Option<&str>,
    limit: usize,
) -> bool {
    let (fields, limit) = if is_own(name) {
        (own, usize::MAX)
    } else {
        (data, limit)
    };
    let Some(value) = value else {
        fields.remove(name);
        return true;
    };
    if fields.len() >= limit && !fields.contains_key(name) {
        return false;
    }
    fields.insert(name.to_owned(), value.to_owned());
    true
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
