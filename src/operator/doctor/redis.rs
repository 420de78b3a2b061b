//! Redis: whether it can be used, and what its servers say of themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::finding::{Finding, Level, failure};
use super::{problem, proof, server, way};
use crate::config::{Config, RedisAddress};
use crate::session::{Clock, Sessions, StoreError};
use crate::store;
use crate::store::redis::{By, Reach, Survey, reach};

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
    let reach = reach(address).map_err(|error| error.to_string())?;
    let survey = match store.survey().await {
        Ok(survey) => survey,
        Err(error) => {
            let mut findings = vec![unreachable(&error, &reach, source)];
            findings.extend(way::judge(&reach));
            return Ok(findings);
        }
    };
    let mut findings = judge(&survey, reach.by, request_timeout);
    findings.extend(way::judge(&reach));
    if findings
        .iter()
        .all(|finding| finding.level < Level::Failure)
    {
        let most = config.max_sessions_per_user;
        let sessions = Sessions::new(Arc::new(store), config.lifetimes, most, clock);
        findings.push(proof::prove(&sessions).await);
    }
    Ok(findings)
}

fn unreachable(error: &StoreError, reach: &Reach, source: &str) -> Finding {
    let at = reach.addresses.join(", ");
    let problem = problem(error);
    let change = if ["WRONGPASS", "NOAUTH", "uthentication"]
        .iter()
        .any(|word| problem.contains(word))
    {
        format!("Put the right user and password in {source}.")
    } else if let StoreError::Timeout(_) = error {
        "Look whether it hangs, and whether a firewall stands between.".to_owned()
    } else {
        format!("Look whether it runs, and whether {source} names it.")
    };
    let what = match reach.by {
        By::Server => "The server",
        By::Cluster => "The cluster",
        By::Sentinels => "The primary of the Sentinels",
    };
    let so = format!("{what} at {at} cannot be used: {problem}.");
    failure(SUBJECT, &so, &change)
}

fn judge(survey: &Survey, by: By, request_timeout: Duration) -> Vec<Finding> {
    let of_each = survey.servers.iter().map(|one| {
        let findings = server::judge(one, by, request_timeout);
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
    use crate::operator::doctor::finding::{ok, warning};

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
