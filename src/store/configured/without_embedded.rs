//! In place of the embedded store, where its feature is missing.

use crate::clock::Clock;
use crate::config::{Config, StorePath};
use crate::store::stores::Stores;

/// Always the sentence that says why not.
pub(crate) fn open(_: &Config, path: &StorePath, _: Clock) -> Result<Stores, String> {
    Err(format!(
        "sessions would be kept in the embedded store (in {path}), and this was built without Innkeeper's feature \
         `embedded`: build it with the feature, name a Redis (`redis_url`; feature `redis`), or give the stage a store of \
         your own"
    ))
}

/// Nothing is: there is no file.
pub(crate) fn exposed(_: &StorePath) -> Vec<String> {
    Vec::new()
}
