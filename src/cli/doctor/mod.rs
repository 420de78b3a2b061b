//! Checks settings and store, and says what to change before production. Each file first collects facts, then a pure
//! function checks them.

#[cfg(feature = "password")]
mod accounts;
#[cfg(feature = "embedded")]
mod embedded;
mod exposure;
mod finding;
#[cfg(feature = "redis")]
mod redis;
mod self_test;
#[cfg(all(
    not(feature = "password"),
    any(feature = "embedded", feature = "redis")
))]
mod without_accounts;
#[cfg(not(feature = "embedded"))]
mod without_embedded;
#[cfg(not(feature = "redis"))]
mod without_redis;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use self::exposure::Exposure;
use self::finding::{Finding, failure, json, status, text, warning};
#[cfg(all(
    not(feature = "password"),
    any(feature = "embedded", feature = "redis")
))]
use self::without_accounts as accounts;
#[cfg(not(feature = "embedded"))]
use self::without_embedded as embedded;
#[cfg(not(feature = "redis"))]
use self::without_redis as redis;
use crate::cli::output::print;
use crate::config::{Config, StoreConfig};

/// How the findings are printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct DoctorArgs {
    /// Prints a JSON array of objects with the fields `level` (`ok`, `note`, `warning` or `failure`), `subject` and `text`
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// With `--json`, prints an error of the check too: it is a finding, that of the settings.
    pub(super) fn report_error(
        &self,
        check: impl FnOnce() -> Result<ExitCode, String>,
    ) -> Result<ExitCode, String> {
        check().inspect_err(|problem| {
            if self.json {
                // The error that is told already counts.
                drop(print_all(self, &[failure("settings", problem, "")]));
            }
        })
    }
}

fn print_all(args: &DoctorArgs, findings: &[Finding]) -> Result<(), String> {
    print(&if args.json {
        json(findings)?
    } else {
        text(findings)
    })
}

/// `request_timeout` is the setting; `config` has the command line's longer one in its place.
pub(super) async fn run(
    args: &DoctorArgs,
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
    print_all(args, &findings)?;
    Ok(ExitCode::from(status(&findings)))
}
