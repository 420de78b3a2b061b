//! For `#[serde(with = "as_text")]`: what is written as its `Display`, and read back.

use std::fmt::Display;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use crate::session::{HandlePrefix, SessionHandle};

/// A type that reads its own `Display`.
pub(super) trait Parse: Sized {
    fn parse_text(text: &str) -> Option<Self>;
}

impl Parse for SessionHandle {
    fn parse_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Parse for HandlePrefix {
    fn parse_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

pub(super) fn serialize<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn deserialize<'de, T: Parse, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::parse_text(&text).ok_or_else(|| D::Error::custom("malformed"))
}
