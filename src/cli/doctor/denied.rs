//! The rights that Innkeeper's user in Redis does not have.

use crate::cli::doctor::finding::{Finding, failure, warning};
use crate::store::redis::{Denied, Need};

const SUBJECT: &str = "rights";

pub(super) fn check(denied: &[Denied], user: &str, metrics: bool) -> Vec<Finding> {
    let of = |need| -> Vec<&Denied> { denied.iter().filter(|one| one.need == need).collect() };
    let mut findings = Vec::new();
    let missing = |lacking: &[&Denied], what: &str| {
        let first = lacking.first()?;
        let mut rights: Vec<_> = lacking.iter().map(|one| one.right.as_str()).collect();
        rights.dedup();
        Some((
            format!(
                "{what} needs rights that `{user}` does not have: {}.",
                first.refusal
            ),
            format!("Grant it: {}.", grant(user, &rights)),
        ))
    };
    if let Some((fact, change)) = missing(
        &of(Need::Sessions),
        "Signing in, staying signed in and signing out",
    ) {
        findings.push(failure(SUBJECT, &fact, &change));
    }
    if let Some((fact, change)) = missing(
        &of(Need::Operator),
        "`innkeeper sessions`, which scans all keys,",
    ) {
        findings.push(warning(SUBJECT, &fact, &change));
    }
    if metrics
        && let Some((fact, change)) = missing(&of(Need::Metrics), "The metrics' count of sessions")
    {
        findings.push(warning(SUBJECT, &fact, &change));
    }
    findings
}

/// The command that grants the rights, ready to paste.
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
            let findings = check(&all, "inn", metrics);
            findings.iter().map(|one| one.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(false), [Level::Failure, Level::Warning]);
        assert_eq!(
            levels(true),
            [Level::Failure, Level::Warning, Level::Warning]
        );
        let findings = check(&all, "inn", false);
        let text = &findings.first().unwrap().text;
        assert!(
            text.ends_with("Grant it: `ACL SETUSER inn +del ~ended_session:*`."),
            "{text}"
        );
        assert!(check(&[], "inn", true).is_empty());
    }
}
