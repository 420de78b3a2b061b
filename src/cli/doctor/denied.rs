//! What Innkeeper's user in Redis may not do.

use crate::cli::doctor::finding::{Finding, failure, warning};
use crate::store::redis::{Denied, Need};

const SUBJECT: &str = "rights";

pub(super) fn judge(denied: &[Denied], user: &str, metrics: bool) -> Vec<Finding> {
    let of = |need| -> Vec<&Denied> { denied.iter().filter(|one| one.need == need).collect() };
    let mut findings = Vec::new();
    let missing = |lacking: &[&Denied], what: &str| {
        let first = lacking.first()?;
        let mut rights: Vec<_> = lacking.iter().map(|one| one.right.as_str()).collect();
        rights.dedup();
        Some((
            format!("{what} needs what `{user}` may not do: {}.", first.refusal),
            format!("Grant it: {}.", grant(user, &rights)),
        ))
    };
    if let Some((so, change)) = missing(&of(Need::Sessions), "Who signs in, is signed in or out") {
        findings.push(failure(SUBJECT, &so, &change));
    }
    if let Some((so, change)) = missing(
        &of(Need::Operator),
        "`innkeeper sessions`, which looks through all keys,",
    ) {
        findings.push(warning(SUBJECT, &so, &change));
    }
    if metrics
        && let Some((so, change)) = missing(&of(Need::Metrics), "The metrics' count of sessions")
    {
        findings.push(warning(SUBJECT, &so, &change));
    }
    findings
}

/// A command that can be pasted.
pub(super) fn grant(user: &str, rights: &[&str]) -> String {
    format!("`ACL SETUSER {user} {}`", rights.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    fn denied(need: Need, right: &str) -> Denied {
        Denied {
            need,
            right: right.to_owned(),
            refusal: "Redis answered NOPERM".to_owned(),
        }
    }

    #[test]
    fn what_is_missing_can_be_pasted() {
        let all = [
            denied(Need::Sessions, "+del"),
            denied(Need::Sessions, "~ended_session:*"),
            denied(Need::Sessions, "~ended_session:*"),
            denied(Need::Operator, "+scan"),
            denied(Need::Metrics, "+dbsize"),
        ];
        let levels = |metrics| {
            let findings = judge(&all, "inn", metrics);
            findings.iter().map(|one| one.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(false), [Level::Failure, Level::Warning]);
        assert_eq!(
            levels(true),
            [Level::Failure, Level::Warning, Level::Warning]
        );
        let findings = judge(&all, "inn", false);
        let text = &findings.first().unwrap().text;
        assert!(
            text.ends_with("Grant it: `ACL SETUSER inn +del ~ended_session:*`."),
            "{text}"
        );
        assert!(judge(&[], "inn", true).is_empty());
    }
}
