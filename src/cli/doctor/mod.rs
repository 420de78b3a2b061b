//! Checks settings and store, and says what to change before production. Each file first collects facts, then a pure
//! function checks them.

#[cfg(feature = "embedded")]
mod embedded;
mod exposure;
mod finding;
#[cfg(feature = "redis")]
mod redis;
mod self_test;
#[cfg(not(feature = "embedded"))]
mod without_embedded;
#[cfg(not(feature = "redis"))]
mod without_redis;

use std::process::ExitCode;
use std::time::Duration;

use self::exposure::Exposure;
use self::finding::{report, warning};
#[cfg(not(feature = "embedded"))]
use self::without_embedded as embedded;
#[cfg(not(feature = "redis"))]
use self::without_redis as redis;
use crate::cli::output::print;
use crate::config::{Config, StoreConfig};

/// `request_timeout` is the setting; `config` has the command line's longer one in its place.
pub(super) async fn run(
    config: &Config,
    rocket: &rocket::Config,
    request_timeout: Duration,
) -> Result<ExitCode, String> {
    let mut findings = match &config.store {
        StoreConfig::Embedded(path) => embedded::run(config, path).await,
        StoreConfig::Redis(redis) => redis::run(config, redis, request_timeout).await?,
    };
    findings.extend(config.warning().map(|fact| {
        warning(
            "lifetimes",
            &fact,
            "Raise `absolute_timeout_secs`, or lower `idle_timeout_secs`.",
        )
    }));
    findings.extend(exposure::check(&Exposure::new(config, rocket)));
    let (text, status) = report(&findings);
    print(&text)?;
    Ok(status)
}
