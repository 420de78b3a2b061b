//! Where sessions live: implements [`SessionStore`], knows no HTTP.

pub(crate) mod embedded;
mod instrumented;
pub(crate) mod redis;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use embedded::{EmbeddedLimits, EmbeddedStore, OpenError};
pub(crate) use instrumented::{InstrumentedStore, LATENCY_BUCKETS};
pub use redis::{AddressError, RedisOptions, RedisStore};

use self::redis::Endpoint;

use crate::clock::Clock;
use crate::config::{Config, RedisAddress, StoreConfig, StorePath};
use crate::session::SessionStore;

/// Opens the store that the configuration asks for.
///
/// Redis need not be there: it is connected to when the first request needs it.
///
/// # Errors
///
/// A sentence for the operator, without secrets: the folder cannot be used, or the address is none.
pub(crate) fn open(config: &Config, clock: Clock) -> Result<Arc<dyn SessionStore>, String> {
    match &config.store {
        StoreConfig::Embedded(location) => open_embedded(config, location, clock)
            .map(|store| Arc::new(store) as Arc<dyn SessionStore>)
            .map_err(|error| error.to_string()),
        StoreConfig::Redis {
            address,
            source,
            ca_file,
        } => open_redis(config, address, source, ca_file.as_deref(), clock)
            .map(|store| Arc::new(store) as Arc<dyn SessionStore>),
    }
}

/// How long a request waits for the store; a store in memory waits for nothing.
pub(crate) fn timeout(config: &Config) -> Option<Duration> {
    (config.store != StoreConfig::Embedded(StorePath::Memory)).then_some(config.redis_timeout)
}

/// Where sessions are kept, for the operator.
pub(crate) fn place(config: &Config) -> String {
    match &config.store {
        StoreConfig::Embedded(location) => format!("the embedded store, in {location}"),
        StoreConfig::Redis { address, .. } => {
            let endpoint = Endpoint::resolve(address);
            endpoint.map_or_else(|_| "Redis".to_owned(), |endpoint| endpoint.told())
        }
    }
}

/// [`open`] for whom any store will not do.
pub(crate) fn open_embedded(
    config: &Config,
    location: &StorePath,
    clock: Clock,
) -> Result<EmbeddedStore, OpenError> {
    let limits = EmbeddedLimits {
        cache_bytes: config.store_cache_bytes,
        timeout: config.redis_timeout,
    };
    EmbeddedStore::open_within(location, limits, config.lifetimes, clock)
}

/// The same for Redis.
pub(crate) fn open_redis(
    config: &Config,
    address: &RedisAddress,
    source: &str,
    ca_file: Option<&Path>,
    clock: Clock,
) -> Result<RedisStore, String> {
    let options = RedisOptions {
        timeout: config.redis_timeout,
        connections: config.redis_connections,
        ca_file: ca_file.map(Path::to_owned),
        client: config.redis_client.clone(),
    };
    RedisStore::open(address, &options, config.lifetimes, clock).map_err(|error| match error {
        AddressError::CaFile(_) => format!("`redis_ca_file`: {error}"),
        AddressError::ClientCertificate(_) => format!("`redis_cert_file`: {error}"),
        AddressError::ClientKey(_) => format!("`redis_key_file`: {error}"),
        AddressError::Unreadable
        | AddressError::ServiceMissing
        | AddressError::Parameter
        | AddressError::Unescaped
        | AddressError::Node
        | AddressError::Database => format!("{source}: {error}"),
    })
}
