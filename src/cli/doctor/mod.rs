//! Says what will hurt in production: first facts are gathered, then they are judged.

mod denied;
mod embedded;
mod exposure;
mod finding;
mod memory;
mod redis;
mod self_test;
mod server;
mod transport;

use std::process::ExitCode;
use std::time::Duration;

use self::exposure::Site;
use self::finding::{report, warning};
use crate::cli::output::print;
use crate::config::{Config, StoreConfig};
use crate::session::StoreError;

/// `request_timeout` is the configured one; `config` has the doctor's own in its place.
pub(super) async fn run(
    config: &Config,
    rocket: &rocket::Config,
    request_timeout: Duration,
) -> Result<ExitCode, String> {
    let mut findings = match &config.store {
        StoreConfig::Embedded(location) => embedded::examine(config, location).await,
        StoreConfig::Redis {
            address,
            source,
            ca_file,
        } => redis::examine(config, address, source, ca_file.as_deref(), request_timeout).await?,
    };
    findings.extend(config.doubt().map(|doubt| {
        warning(
            "lifetimes",
            &doubt,
            "Raise `absolute_timeout_secs`, or lower the other.",
        )
    }));
    findings.extend(exposure::judge(&Site::of(config, rocket)));
    let (text, status) = report(&findings);
    print(&text)?;
    Ok(status)
}

/// What the store said, for the end of a sentence.
fn problem(error: &StoreError) -> String {
    match error {
        StoreError::Timeout(whole) => format!("no answer within {} s", whole.as_secs()),
        StoreError::Unreachable(problem) | StoreError::Failed(problem) => problem.clone(),
        StoreError::Unreadable(_) => error.to_string(),
    }
}
