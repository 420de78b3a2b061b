//! In place of the embedded store, where its feature is missing.

use std::future::{Ready, ready};

use crate::clock::Clock;
use crate::config::{Config, StorePath};
use crate::store::{Stores, configured};

/// Always the sentence that says why not.
pub(super) fn open(
    config: &Config,
    path: &StorePath,
    clock: Clock,
) -> Ready<Result<Stores, String>> {
    ready(configured::embedded::open(config, path, clock))
}
