//! The embedded store, as the settings say.

use crate::clock::Clock;
use crate::config::{Config, StorePath};
pub(crate) use crate::store::embedded::exposed;
use crate::store::embedded::{EmbeddedLimits, EmbeddedStore, OpenError};
use crate::store::stores::Stores;

/// Opens it for the server.
pub(crate) fn open(config: &Config, path: &StorePath, clock: Clock) -> Result<Stores, String> {
    let store = open_store(config, path, clock).map_err(|error| error.to_string())?;
    Ok(Stores::new(store))
}

/// Opens it with the configured limits.
pub(crate) fn open_store(
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
