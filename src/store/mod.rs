//! Where sessions and accounts are kept: two implementations of [`SessionStore`] and its siblings.

mod attempts;
pub(crate) mod configured;
#[cfg(feature = "embedded")]
pub(crate) mod embedded;
#[cfg(feature = "metrics")]
mod instrumented;
mod memory_sign_in;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod stores;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "embedded")]
pub use embedded::{EmbeddedLimits, EmbeddedStore, OpenError};
#[cfg(feature = "metrics")]
pub(crate) use instrumented::{InstrumentedStore, LATENCY_BUCKETS};
pub use memory_sign_in::MemorySignInStore;
#[cfg(feature = "redis")]
pub use redis::{AddressError, RedisOptions, RedisStore};
pub(crate) use stores::Stores;

use crate::clock::Clock;
use crate::config::{Config, StoreConfig};
use crate::session::{SessionStore, Sessions};

/// Opens the configured store. Redis need not be running yet: the first request connects to it.
///
/// # Errors
///
/// A sentence for the operator, without secrets: the folder cannot be used, the address cannot be read, or the store's
/// feature is missing.
pub(crate) fn open(config: &Config, clock: Clock) -> Result<Stores, String> {
    match &config.store {
        StoreConfig::Embedded(path) => configured::embedded::open(config, path, clock),
        StoreConfig::Redis(redis) => configured::redis::open(config, redis, clock),
    }
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
        StoreConfig::Redis(redis) => configured::redis::place(redis),
    }
}
