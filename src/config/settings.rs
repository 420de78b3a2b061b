//! Every setting, and its allowed values.

use std::fmt::Display;
use std::path::PathBuf;

use rocket::figment::Error;
use rocket::figment::error::Kind;
use rocket::figment::value::{Dict, Value};
use serde::de::{Deserialize, Deserializer, Error as _};

use super::accent::Color;
use super::error::nearest;
use super::public_url::{PublicUrl, TrustedOrigin};
use super::redis_address::Secret;
use crate::user_name::is_disallowed;

/// Ten years, in seconds.
const TEN_YEARS: u32 = 315_360_000;

/// The settings that hold secrets. Each may also stand in a file of its own, which the setting with `_file` at its end
/// names. Not so the others: they need no hiding, and Rocket.toml is a file already.
pub(crate) const SECRETS: [&str; 2] = ["redis_url", "upstash_redis_rest_token"];

/// The problem with a value of another kind. It may be secret, so it is not shown.
pub(crate) const NO_TEXT: &str = "must be a text, in quotes";

/// The table `innkeeper`. A setting that is missing or an empty text is `None`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) redis_url: Option<Secret>,
    pub(crate) redis_url_file: Option<PathBuf>,
    pub(crate) upstash_redis_rest_url: Option<String>,
    pub(crate) upstash_redis_rest_token: Option<Secret>,
    pub(crate) upstash_redis_rest_token_file: Option<PathBuf>,
    pub(crate) store_path: Option<String>,
    #[serde(deserialize_with = "whole::<1, 65_536, _>")]
    pub(crate) store_cache_mb: Option<u32>,
    #[serde(deserialize_with = "whole::<1, TEN_YEARS, _>")]
    pub(crate) idle_timeout_secs: Option<u32>,
    #[serde(deserialize_with = "whole::<0, TEN_YEARS, _>")]
    pub(crate) absolute_timeout_secs: Option<u32>,
    #[serde(deserialize_with = "whole::<1, 10_000, _>")]
    pub(crate) max_sessions_per_user: Option<u32>,
    #[serde(deserialize_with = "public_url")]
    pub(crate) public_url: Option<PublicUrl>,
    #[serde(deserialize_with = "trusted_origins")]
    pub(crate) trusted_origins: Option<Vec<TrustedOrigin>>,
    #[serde(deserialize_with = "sign_in")]
    pub(crate) sign_in: Option<SignInMode>,
    #[serde(deserialize_with = "flag")]
    pub(crate) sign_up: Option<bool>,
    #[serde(deserialize_with = "whole::<8, 256, _>")]
    pub(crate) password_min_length: Option<u32>,
    #[serde(deserialize_with = "whole::<1, TEN_YEARS, _>")]
    pub(crate) recent_sign_in_secs: Option<u32>,
    #[serde(deserialize_with = "flag")]
    pub(crate) open_to_the_world: Option<bool>,
    #[serde(deserialize_with = "whole::<1, 600_000, _>")]
    pub(crate) redis_timeout_ms: Option<u32>,
    #[serde(deserialize_with = "whole::<1, 64, _>")]
    pub(crate) redis_connections: Option<u32>,
    pub(crate) redis_ca_file: Option<PathBuf>,
    pub(crate) redis_cert_file: Option<PathBuf>,
    pub(crate) redis_key_file: Option<PathBuf>,
    #[serde(deserialize_with = "whole::<0, 3600, _>")]
    pub(crate) drain_secs: Option<u32>,
    pub(crate) metrics_address: Option<String>,
    #[serde(deserialize_with = "log_format")]
    pub(crate) log_format: Option<LogFormat>,
    #[serde(deserialize_with = "site_name")]
    pub(crate) site_name: Option<String>,
    #[serde(deserialize_with = "color")]
    pub(crate) accent_color: Option<Color>,
    #[serde(deserialize_with = "color")]
    pub(crate) accent_color_dark: Option<Color>,
}

impl Settings {
    /// Every key, from serde's error about an unknown one.
    pub(crate) fn keys() -> &'static [&'static str] {
        let unknown = Value::from(Dict::from([(String::new(), Value::from(""))]));
        match unknown.deserialize::<Self>() {
            Err(Error {
                kind: Kind::UnknownField(_, keys),
                ..
            }) => keys,
            Ok(_) | Err(_) => &[],
        }
    }

    /// The problem with an unknown key.
    pub(crate) fn unknown(key: &str) -> String {
        let known = Self::keys();
        if rocket::Config::PARAMETERS.contains(&key) {
            let name = key.to_ascii_uppercase();
            return format!("is not a setting; it is one of Rocket's, `ROCKET_{name}`");
        }
        if key
            .strip_suffix("_file")
            .is_some_and(|key| known.contains(&key))
        {
            let files = SECRETS.map(|key| format!("`{key}_file`")).join(" and ");
            return format!("is not a setting; only secrets have files of their own, {files}");
        }
        match nearest(key, known) {
            Some(known) => format!("is not a setting; did you mean `{known}`?"),
            None => format!("is not a setting; there are: {}", known.join(", ")),
        }
    }
}

/// How users prove who they are on Innkeeper's own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignInMode {
    /// A user name is enough.
    Open,
    /// Users have accounts with passwords. Needs the feature `password`.
    Password,
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn sign_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SignInMode>, D::Error> {
    one_of(
        deserializer,
        &[
            ("open", SignInMode::Open),
            ("password", SignInMode::Password),
        ],
    )
}

fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LogFormat>, D::Error> {
    one_of(
        deserializer,
        &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    )
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    one_of(deserializer, &[("true", true), ("false", false)])
}

fn one_of<'de, T: Copy, D: Deserializer<'de>>(
    deserializer: D,
    choices: &[(&str, T)],
) -> Result<Option<T>, D::Error> {
    parsed(deserializer, |text| {
        let chosen = choices.iter().find(|(name, _)| *name == text);
        chosen.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            format!("must be `{}`, and is `{text}`", names.join("` or `"))
        })
    })
}

fn whole<'de, const MIN: u32, const MAX: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    parsed(deserializer, |text| {
        let number = text
            .parse()
            .ok()
            .filter(|number| (MIN..=MAX).contains(number));
        number.ok_or_else(|| format!("must be a whole number from {MIN} to {MAX}, and is `{text}`"))
    })
}

fn site_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    const MAX_CHARS: usize = 64;
    parsed(deserializer, |text| {
        let is_name = text.trim() == text
            && text.chars().count() <= MAX_CHARS
            && !text.contains(is_disallowed);
        let problem = || {
            format!(
                "must be a name of 1 to {MAX_CHARS} characters, on one line, without invisible ones"
            )
        };
        is_name.then(|| text.to_owned()).ok_or_else(problem)
    })
}

fn color<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Color>, D::Error> {
    parsed(deserializer, Color::parse)
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PublicUrl>, D::Error> {
    let value: Value = Deserialize::deserialize(deserializer)?;
    match value.as_str() {
        _ if matches!(value, Value::Empty(..)) => Ok(None),
        Some(text) => PublicUrl::parse(text).map(Some).map_err(D::Error::custom),
        None => Err(D::Error::custom(NO_TEXT)),
    }
}

/// A list of texts; or, as variables have no lists, one text with commas or spaces between the origins.
fn trusted_origins<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<TrustedOrigin>>, D::Error> {
    let value: Value = Deserialize::deserialize(deserializer)?;
    let texts: Option<Vec<_>> = match (&value, value.as_str()) {
        (Value::Empty(..), _) => return Ok(None),
        (Value::Array(_, values), _) => values.iter().map(Value::as_str).collect(),
        (_, text) => text.map(|text| {
            let texts = text.split([',', ' ']);
            texts.filter(|text| !text.is_empty()).collect()
        }),
    };
    let texts = texts.ok_or_else(|| D::Error::custom("must be a list of texts"))?;
    let origins: Result<_, _> = texts.into_iter().map(TrustedOrigin::parse).collect();
    origins.map(Some).map_err(D::Error::custom)
}

/// Parses the text of a setting. Files and programs may set numbers and flags, too, which are written as text first.
fn parsed<'de, T, E: Display, D: Deserializer<'de>>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, D::Error> {
    let value: Value = Deserialize::deserialize(deserializer)?;
    let parsed = match value.as_str() {
        _ if matches!(value, Value::Empty(..)) => return Ok(None),
        Some(text) => parse(text),
        None => parse(&serde_json::to_string(&value).map_err(D::Error::custom)?),
    };
    parsed.map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_known_as_one_and_may_stand_in_a_file() {
        let is_secret = |key: &&&str| {
            let table = Dict::from([((**key).to_owned(), Value::from("x"))]);
            let read = Value::from(table).deserialize::<Settings>();
            read.is_ok_and(|settings| format!("{settings:?}").contains("Secret(..)"))
        };
        let keys = Settings::keys();
        let secret: Vec<_> = keys.iter().filter(is_secret).copied().collect();
        assert_eq!(secret, SECRETS);
        for key in SECRETS {
            assert!(keys.contains(&format!("{key}_file").as_str()), "{key}");
        }
    }
}
