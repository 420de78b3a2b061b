//! In place of Redis, where its feature is missing.

use std::future::{Ready, ready};

use crate::clock::Clock;
use crate::config::{Config, RedisConfig};
use crate::store::stores::Stores;

/// Always the sentence that says why not.
pub(crate) fn open(_: &Config, redis: &RedisConfig, _: Clock) -> Result<Stores, String> {
    let source = &redis.source;
    Err(format!(
        "{source}: sessions cannot be kept in Redis, because this was built without Innkeeper's feature `redis`"
    ))
}

pub(crate) fn place(_: &RedisConfig) -> String {
    "Redis".to_owned()
}

pub(crate) fn risks_for_accounts(
    _: &Config,
    _: &RedisConfig,
) -> Ready<Result<Vec<&'static str>, String>> {
    ready(Ok(Vec::new()))
}
