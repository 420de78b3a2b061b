//! In place of the check of the embedded store, where its feature is missing.

use std::future::{Ready, ready};

use crate::cli::doctor::finding::{Finding, failure};
use crate::clock::Clock;
use crate::config::{Config, StorePath};
use crate::store::configured;

pub(super) fn run(config: &Config, path: &StorePath) -> Ready<Vec<Finding>> {
    let opened = configured::embedded::open(config, path, Clock::start());
    let problem = opened.err().map(|problem| {
        let change =
            "Name a Redis (`redis_url`), or take a program that was built with the feature.";
        failure(
            "store",
            &format!("The session store cannot be opened: {problem}."),
            change,
        )
    });
    ready(problem.into_iter().collect())
}
