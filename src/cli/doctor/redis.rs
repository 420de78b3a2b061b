//! Redis: whether it can be used, and what its servers say of themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::doctor::denied::grant;
use crate::cli::doctor::finding::{Finding, Level, failure};
use crate::cli::doctor::server::DoctorClient;
use crate::cli::doctor::{problem, self_test, server, transport};
use crate::clock::Clock;
use crate::config::{Config, RedisAddress};
use crate::session::{Sessions, StoreError};
use crate::store;
use crate::store::redis::{
    Endpoint, Inspection, NO_CERTIFICATE, NO_CLUSTER, NO_COMMAND, NO_DATABASE, NO_HOST, NO_PASSWORD,
};

const SUBJECT: &str = "Redis";

pub(super) async fn examine(
    config: &Config,
    address: &RedisAddress,
    source: &str,
    ca_file: Option<&Path>,
    request_timeout: Duration,
) -> Result<Vec<Finding>, String> {
    let clock = Clock::start();
    let store = store::open_redis(config, address, source, ca_file, clock.clone())?;
    let endpoint = Endpoint::resolve(address).map_err(|error| error.to_string())?;
    let inspection = match store.inspect().await {
        Ok(inspection) => inspection,
        Err(error) => {
            let mut findings = vec![unreachable(&error, &endpoint, source)];
            findings.extend(transport::judge(&endpoint));
            return Ok(findings);
        }
    };
    let client = DoctorClient {
        by: endpoint.by,
        user: &endpoint.user,
        request_timeout,
        metrics: config.metrics.is_some(),
    };
    let mut findings = judge(&inspection, client);
    findings.extend(transport::judge(&endpoint));
    if findings
        .iter()
        .all(|finding| finding.level < Level::Failure)
    {
        let limit = config.max_sessions_per_user;
        let timeout = store::timeout(config);
        let sessions = Sessions::new(Arc::new(store), config.lifetimes, limit, timeout, clock);
        findings.push(self_test::prove(&sessions).await);
    }
    Ok(findings)
}

fn unreachable(error: &StoreError, endpoint: &Endpoint, source: &str) -> Finding {
    let problem = problem(error);
    let so = format!(
        "{} cannot be used: {problem}.",
        capitalised(&endpoint.told())
    );
    failure(SUBJECT, &so, &change(error, &problem, endpoint, source))
}

/// What an operator does about it.
fn change(error: &StoreError, problem: &str, endpoint: &Endpoint, source: &str) -> String {
    let says = |word: &str| problem.contains(word);
    if let Some(command) = denied_command(problem) {
        let right = format!("+{command}");
        format!("Grant it: {}.", grant(&endpoint.user, &[&right]))
    } else if says(NO_PASSWORD) || says("NOAUTH") || says("WRONGPASS") {
        format!("Put the right user and password in {source}.")
    } else if says(NO_DATABASE) {
        format!("Look at the number behind the `/` in {source}.")
    } else if says(NO_CERTIFICATE) {
        format!(
            "Name the authority that signed it in `redis_ca_file`, if it is your own; else look whether {source} has the \
             name that the certificate is for."
        )
    } else if says(NO_HOST) {
        format!("Look whether {source} names it right.")
    } else if says(NO_CLUSTER) {
        "Use `redis://`, or `rediss://`: it is one server.".to_owned()
    } else if let StoreError::Timeout(_) = error {
        "Look whether it hangs, whether a firewall stands between, and whether one side expects TLS and the other not."
            .to_owned()
    } else {
        format!("Look whether it runs, and whether {source} names it.")
    }
}

/// The command in `no permissions to run the 'select' command`.
fn denied_command(problem: &str) -> Option<&str> {
    let (_, rest) = problem.split_once(NO_COMMAND)?;
    rest.split('\'').nth(1)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn judge(inspection: &Inspection, client: DoctorClient<'_>) -> Vec<Finding> {
    let of_each = inspection.servers.iter().map(|one| {
        let findings = server::judge(one, client);
        (one.name.as_deref(), findings)
    });
    merged(of_each.collect())
}

/// What holds for all servers is told once, what holds for some with their names.
fn merged(of_each: Vec<(Option<&str>, Vec<Finding>)>) -> Vec<Finding> {
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
    fn what_holds_for_all_servers_is_told_once() {
        let (same, other) = (ok("memory", "Fine."), warning("memory", "Full.", "More."));
        let all = merged(vec![
            (Some("a:1"), vec![same.clone(), ok("clock", "Right.")]),
            (Some("b:2"), vec![other, ok("clock", "Right.")]),
            (Some("c:3"), vec![same, ok("clock", "Right.")]),
        ]);
        let texts: Vec<_> = all.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(texts, ["a:1, c:3: Fine.", "b:2: Full. More.", "Right."]);
    }
}
