//! Checks whether Redis can be used, and each of its servers.

mod denied;
mod memory;
mod server;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use crate::cli::doctor::accounts;
use crate::cli::doctor::finding::{Finding, Level, failure, problem};
use crate::cli::doctor::redis::denied::grant;
use crate::cli::doctor::redis::server::Usage;
use crate::cli::doctor::self_test;
use crate::clock::Clock;
use crate::config::{Config, RedisConfig, SignInMode};
use crate::session::StoreError;
use crate::store;
use crate::store::configured;
use crate::store::redis::{
    Endpoint, NO_CERTIFICATE, NO_CLUSTER, NO_COMMAND, NO_DATABASE, NO_HOST, NO_PASSWORD,
};

const SUBJECT: &str = "Redis";

pub(super) async fn run(
    config: &Config,
    redis: &RedisConfig,
    request_timeout: Duration,
) -> Result<Vec<Finding>, String> {
    let clock = Clock::start();
    let store = configured::redis::open_store(config, redis, clock.clone())?;
    let endpoint = Endpoint::resolve(&redis.address).map_err(|error| error.to_string())?;
    let inspection = match store.inspect().await {
        Ok(inspection) => inspection,
        Err(error) => {
            let mut findings = vec![unreachable(&error, &endpoint, &redis.source)];
            findings.extend(transport::check(&endpoint));
            return Ok(findings);
        }
    };
    let usage = Usage {
        by: endpoint.kind,
        user: &endpoint.user,
        request_timeout,
        passwords: config.sign_in == SignInMode::Password,
        metrics: config.metrics.is_some(),
        accounts: config.sign_in == SignInMode::Password,
    };
    let servers = inspection.servers.iter();
    let of_each = servers.map(|one| (one.name.as_deref(), server::check(one, usage)));
    let mut findings = merge(of_each.collect());
    findings.extend(transport::check(&endpoint));
    if findings
        .iter()
        .all(|finding| finding.level < Level::Failure)
    {
        let store = Arc::new(store);
        let accounts = accounts::check(config, &*store).await;
        let sessions = store::sessions(config, store, Some(config.redis_timeout), clock);
        findings.push(self_test::run(&sessions).await);
        findings.extend(accounts);
    }
    Ok(findings)
}

fn unreachable(error: &StoreError, endpoint: &Endpoint, source: &str) -> Finding {
    let problem = problem(error);
    let fact = format!("It cannot be used ({}): {problem}.", endpoint.describe());
    failure(SUBJECT, &fact, &change(error, &problem, endpoint, source))
}

/// What the operator should change.
fn change(error: &StoreError, problem: &str, endpoint: &Endpoint, source: &str) -> String {
    let says = |word: &str| problem.contains(word);
    if let Some(command) = denied_command(problem) {
        let right = format!("+{command}");
        format!("Grant it: {}.", grant(&endpoint.user, &[&right]))
    } else if says(NO_PASSWORD) || says("NOAUTH") || says("WRONGPASS") {
        format!("Put the right user and password in {source}.")
    } else if says(NO_DATABASE) {
        format!("Check the number after the `/` in {source}.")
    } else if says(NO_CERTIFICATE) {
        format!(
            "If it was signed by your own authority, name that one in `redis_ca_file`; else check that {source} has the name \
             that the certificate is for."
        )
    } else if says(NO_HOST) {
        format!("Check its name in {source}.")
    } else if says(NO_CLUSTER) {
        "Use `redis://`, or `rediss://`: it is one server.".to_owned()
    } else if let StoreError::Timeout(_) = error {
        "Check whether it hangs, whether a firewall is in between, and whether only one side expects TLS."
            .to_owned()
    } else {
        format!("Check that it runs, and that {source} names it.")
    }
}

/// The command in `no permissions to run the 'select' command`.
fn denied_command(problem: &str) -> Option<&str> {
    let (_, rest) = problem.split_once(NO_COMMAND)?;
    rest.split('\'').nth(1)
}

/// Merges equal findings of several servers. A finding that does not hold for all names its servers.
fn merge(of_each: Vec<(Option<&str>, Vec<Finding>)>) -> Vec<Finding> {
    let all = of_each.len();
    let mut merged: Vec<(Finding, Vec<&str>)> = Vec::new();
    for (name, findings) in of_each {
        for finding in findings {
            let name = name.unwrap_or_default();
            match merged.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, names)) => names.push(name),
                None => merged.push((finding, vec![name])),
            }
        }
    }
    let subjects: Vec<_> = merged.iter().map(|(finding, _)| finding.subject).collect();
    merged.sort_by_key(|(finding, _)| subjects.iter().position(|one| *one == finding.subject));
    merged
        .into_iter()
        .map(|(mut finding, names)| {
            if names.len() < all {
                finding.text = format!("{}: {}", names.join(", "), finding.text);
            }
            finding
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::{ok, warning};

    #[test]
    fn what_holds_for_all_servers_is_reported_once() {
        let (same, other) = (ok("memory", "Fine."), warning("memory", "Full.", "More."));
        let all = merge(vec![
            (Some("a:1"), vec![same.clone(), ok("clock", "Right.")]),
            (Some("b:2"), vec![other, ok("clock", "Right.")]),
            (Some("c:3"), vec![same, ok("clock", "Right.")]),
        ]);
        let texts: Vec<_> = all.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(texts, ["a:1, c:3: Fine.", "b:2: Full. More.", "Right."]);
    }
}
