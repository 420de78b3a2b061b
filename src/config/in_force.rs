//! The settings in force, and where each was set.

use std::time::Duration;

use rocket::figment::Figment;
use rocket::figment::value::Value;
use serde_json::{Value as Json, json};

use super::error::ConfigError;
use super::redis_address::{HIDDEN, without_password};
use super::settings::{SECRETS, Settings};
use super::sources::Sources;
use super::sources::origin::{Origin, origin};
use super::{
    Config, LogFormat, PublicUrl, RedisAddress, SignInMode, StoreConfig, StorePath, TrustedOrigin,
};

/// A setting in force.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) owner: Owner,
    pub(crate) key: String,
    /// Secrets are starred out; `null` where nothing is set, or where the setting has no meaning.
    pub(crate) value: Json,
    /// [`Origin::Program`] for a default.
    pub(crate) origin: Origin,
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Innkeeper,
    Rocket,
}

/// Rocket's keys that change nothing in the program, whose log is its own.
const WITHOUT_EFFECT: [&str; 2] = ["log_level", "cli_colors"];

/// All settings in force: Innkeeper's, then Rocket's.
pub(crate) fn settings(figment: &Figment, config: &Config) -> Result<Vec<InForce>, ConfigError> {
    let mut all = ours(&super::sources(figment)?, config);
    all.extend(rockets(figment, config));
    Ok(all)
}

/// Innkeeper's own settings, all of them.
fn ours(sources: &Sources, config: &Config) -> Vec<InForce> {
    let keys = Settings::keys().iter();
    keys.map(|key| InForce {
        owner: Owner::Innkeeper,
        key: (*key).to_owned(),
        value: value(config, sources, key),
        origin: sources.origin(key).clone(),
    })
    .collect()
}

/// The value of one of our settings: from the configuration where that has another one than the sources, such as a default.
fn value(config: &Config, sources: &Sources, key: &str) -> Json {
    let redis = match &config.store {
        StoreConfig::Redis(redis) => Some(&redis.address),
        StoreConfig::Embedded(_) => None,
    };
    let seconds = |duration: Duration| json!(duration.as_secs());
    match (key, redis) {
        ("redis_url", Some(RedisAddress::Url(url))) => json!(without_password(url.reveal())),
        ("upstash_redis_rest_url" | "upstash_redis_rest_token", Some(RedisAddress::Url(_))) => {
            Json::Null
        }
        ("upstash_redis_rest_url", _) => sources
            .text(key)
            .map_or(Json::Null, |url| json!(without_password(url))),
        ("store_path", _) => match &config.store {
            StoreConfig::Embedded(path) => json!(match path {
                StorePath::Memory => ":memory:".into(),
                StorePath::Folder(folder) => folder.display().to_string(),
            }),
            StoreConfig::Redis(_) => Json::Null,
        },
        ("store_cache_mb", _) => json!(config.store_cache_bytes >> 20),
        ("idle_timeout_secs", _) => seconds(config.lifetimes.idle),
        ("absolute_timeout_secs", _) => seconds(config.lifetimes.absolute.unwrap_or_default()),
        ("max_sessions_per_user", _) => json!(config.max_sessions_per_user),
        ("public_url", _) => json!(config.public_url.as_ref().map(PublicUrl::origin)),
        ("trusted_origins", _) if !config.trusted_origins.is_empty() => {
            let origins = config.trusted_origins.iter().map(TrustedOrigin::as_str);
            json!(origins.collect::<Vec<_>>())
        }
        ("site_name", _) => json!(config.site_name),
        ("sign_in", _) => match config.sign_in {
            SignInMode::Open => json!("open"),
            SignInMode::Password => json!("password"),
        },
        ("sign_up", _) => json!(config.sign_up),
        ("password_min_length", _) => json!(config.password_min_length),
        ("recent_sign_in_secs", _) => seconds(config.recent_sign_in),
        ("open_to_the_world", _) => json!(config.open_to_the_world),
        ("redis_timeout_ms", _) => json!(config.redis_timeout.as_millis()),
        ("redis_connections", _) => json!(config.redis_connections),
        ("drain_secs", _) => seconds(config.drain),
        ("metrics_address", _) => json!(config.metrics.as_ref().map(|it| it.address.to_string())),
        ("log_format", _) => match config.log_format {
            LogFormat::Text => json!("text"),
            LogFormat::Json => json!("json"),
        },
        _ => match sources.value(key) {
            Some(_) if SECRETS.contains(&key) => json!(HIDDEN),
            Some(value) => as_json(value),
            None => Json::Null,
        },
    }
}

/// Rocket's settings that the program reads, a line for each key of a table.
fn rockets(figment: &Figment, config: &Config) -> Vec<InForce> {
    let profile = figment.profile().as_str().as_str();
    let mut found = vec![InForce {
        owner: Owner::Rocket,
        key: "profile".to_owned(),
        value: json!(profile),
        origin: if rocket::Config::DEFAULT_PROFILE == profile {
            Origin::Program
        } else {
            Origin::Environment("ROCKET_PROFILE".to_owned())
        },
    }];
    let keys = rocket::Config::PARAMETERS.iter().chain(&["template_dir"]);
    for key in keys.filter(|key| !WITHOUT_EFFECT.contains(key)) {
        let value = figment.find_value(key).unwrap_or_else(|_| Value::from(""));
        if let Some(table) = value.as_dict() {
            found.extend(table.iter().map(|(inner, value)| InForce {
                owner: Owner::Rocket,
                key: format!("{key}.{inner}"),
                value: as_json(value),
                origin: origin(figment, key, value),
            }));
            continue;
        }
        let origin = origin(figment, key, &value);
        let is_default = origin == Origin::Program;
        found.push(InForce {
            owner: Owner::Rocket,
            key: (*key).to_owned(),
            value: match *key {
                "secret_key" if !is_default => json!(HIDDEN),
                "secret_key" => Json::Null,
                _ => as_json(&value),
            },
            origin,
        });
    }
    let grace = found.iter_mut().find(|one| one.key == "shutdown.grace");
    if let Some(grace) = grace.filter(|one| one.origin == Origin::Program) {
        grace.value = json!(config.shutdown_grace());
    }
    found
}

/// As JSON has it; an empty text, which is no value, as `null`.
fn as_json(value: &Value) -> Json {
    if value.as_str() == Some("") || matches!(value, Value::Empty(..)) {
        return Json::Null;
    }
    serde_json::to_value(value).unwrap_or(Json::Null)
}
