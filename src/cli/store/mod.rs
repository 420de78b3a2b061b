//! Opens the store for a command.

#[cfg(feature = "embedded")]
pub(super) mod embedded;
#[cfg(not(feature = "embedded"))]
mod without_embedded;

#[cfg(not(feature = "embedded"))]
use self::without_embedded as embedded;
use crate::clock::Clock;
use crate::config::{Config, StoreConfig};
use crate::session::Sessions;
use crate::store::{self, Stores};

/// The store that the settings name, and its sessions.
pub(super) async fn open(config: &Config) -> Result<(Stores, Sessions), String> {
    let clock = Clock::start();
    let (stores, timeout) = match &config.store {
        // A command waits for the disk however long that takes.
        StoreConfig::Embedded(path) => (embedded::open(config, path, clock.clone()).await?, None),
        StoreConfig::Redis(_) => (
            store::open(config, clock.clone())?,
            Some(config.redis_timeout),
        ),
    };
    let sessions = store::sessions(config, stores.sessions.clone(), timeout, clock);
    Ok((stores, sessions))
}
