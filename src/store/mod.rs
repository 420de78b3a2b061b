//! Where sessions are kept: two implementations of [`SessionStore`].

pub(crate) mod embedded;
mod instrumented;
pub(crate) mod redis;

use std::sync::Arc;
use std::time::Duration;

pub use embedded::{EmbeddedLimits, EmbeddedStore, OpenError};
pub(crate) use instrumented::{InstrumentedStore, LATENCY_BUCKETS};
pub use redis::{AddressError, RedisOptions, RedisStore};

use self::redis::Endpoint;
use crate::clock::Clock;
use crate::config::{Config, RedisConfig, StoreConfig, StorePath};
use crate::session::{SessionStore, Sessions};

/// Opens the configured store. Redis need not be running yet: the first request connects to it.
///
/// # Errors
///
/// A sentence for the operator, without secrets: the folder cannot be used, or the address cannot be read.
pub(crate) fn open(config: &Config, clock: Clock) -> Result<Arc<dyn SessionStore>, String> {
    Ok(match &config.store {
        StoreConfig::Embedded(path) => {
            Arc::new(open_embedded(config, path, clock).map_err(|error| error.to_string())?)
        }
        StoreConfig::Redis(redis) => Arc::new(open_redis(config, redis, clock)?),
    })
}

/// [`Sessions`] over a store that was opened with this configuration.
pub(crate) fn sessions(
    config: &Config,
    store: Arc<dyn SessionStore>,
    timeout: Option<Duration>,
    clock: Clock,
) -> Sessions {
    let limit = config.max_sessions_per_user;
    Sessions::new(store, config.lifetimes, limit, timeout, clock)
}

/// Where sessions are kept, for the operator.
pub(crate) fn place(config: &Config) -> String {
    match &config.store {
        StoreConfig::Embedded(path) => format!("the embedded store, in {path}"),
        StoreConfig::Redis(redis) => {
            let endpoint = Endpoint::resolve(&redis.address);
            endpoint.map_or_else(|_| "Redis".to_owned(), |endpoint| endpoint.describe())
        }
    }
}

/// Opens the embedded store with the configured limits.
pub(crate) fn open_embedded(
    config: &Config,
    path: &StorePath,
    clock: Clock,
) -> Result<EmbeddedStore, OpenError> {
    let limits = EmbeddedLimits {
        cache_bytes: config.store_cache_bytes,
        timeout: config.redis_timeout,
    };
    EmbeddedStore::open_within(path, limits, config.lifetimes, clock)
}

/// Opens Redis; an error names the setting that is wrong.
pub(crate) fn open_redis(
    config: &Config,
    redis: &RedisConfig,
    clock: Clock,
) -> Result<RedisStore, String> {
    let options = RedisOptions {
        timeout: config.redis_timeout,
        connections: config.redis_connections,
        ca_file: redis.ca_file.clone(),
        client: config.redis_client.clone(),
    };
    let store = RedisStore::open(&redis.address, &options, config.lifetimes, clock);
    store.map_err(|error| {
        let setting = match error {
            AddressError::CaFile(_) => "`redis_ca_file`",
            AddressError::ClientCertificate(_) => "`redis_cert_file`",
            AddressError::ClientKey(_) => "`redis_key_file`",
            AddressError::Unreadable
            | AddressError::ServiceMissing
            | AddressError::Parameter
            | AddressError::Unescaped
            | AddressError::Node
            | AddressError::Database => redis.source.as_str(),
        };
        format!("{setting}: {error}")
    })
}
