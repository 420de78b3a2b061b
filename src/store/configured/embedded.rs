//! The embedded store, as the settings say.

use std::thread;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::config::{Config, StorePath};
pub(crate) use crate::store::embedded::exposed;
use crate::store::embedded::{EmbeddedLimits, EmbeddedStore, OpenError};
use crate::store::stores::Stores;

/// How long a server waits for the file: an operator's command may have it for a moment, or the server before this one.
const PATIENCE: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_millis(20);

/// Opens it for the server.
pub(crate) fn open(config: &Config, path: &StorePath, clock: Clock) -> Result<Stores, String> {
    let open =
        move || EmbeddedStore::open_within(path, limits(config), config.lifetimes, clock.clone());
    let store = when_free(open);
    store.map(Stores::new).map_err(|error| error.to_string())
}

fn when_free(
    open: impl Fn() -> Result<EmbeddedStore, OpenError>,
) -> Result<EmbeddedStore, OpenError> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(error) if error.is_in_use() && Instant::now() < give_up => thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

pub(crate) fn limits(config: &Config) -> EmbeddedLimits {
    EmbeddedLimits {
        cache_bytes: config.store_cache_bytes,
        timeout: config.redis_timeout,
        ..EmbeddedLimits::default()
    }
}
