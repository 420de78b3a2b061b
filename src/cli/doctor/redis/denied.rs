//! The rights that Innkeeper's Redis user lacks.

use crate::cli::doctor::finding::{Finding, failure, warning};
use crate::store::redis::{Denied, Need};

const SUBJECT: &str = "rights";

/// `passwords`, `metrics`: whether they are on.
pub(super) fn check(denied: &[Denied], user: &str, passwords: bool, metrics: bool) -> Vec<Finding> {
    type NewFinding = fn(&'static str, &str, &str) -> Finding;
    let needs: [(Need, &str, NewFinding); 4] = [
        (
            Need::Sessions,
            "Signing in, staying signed in and signing out",
            failure,
        ),
        (Need::Passwords, "Signing in with passwords", failure),
        (
            Need::Operator,
            "`innkeeper sessions`, which scans all keys,",
            warning,
        ),
        (Need::Metrics, "The metrics' count of sessions", warning),
    ];
    let needed = needs.into_iter().filter(|(need, ..)| match need {
        Need::Passwords => passwords,
        Need::Metrics => metrics,
        Need::Sessions | Need::Operator => true,
    });
    needed
        .filter_map(|(need, what, finding)| {
            let lacking: Vec<_> = denied.iter().filter(|one| one.need == need).collect();
            let refusal = &lacking.first()?.refusal;
            let mut rights: Vec<_> = lacking.iter().map(|one| one.right.as_str()).collect();
            rights.dedup();
            let fact = format!("{what} needs rights that `{user}` does not have: {refusal}.");
            Some(finding(
                SUBJECT,
                &fact,
                &format!("Grant it: {}.", grant(user, &rights)),
            ))
        })
        .collect()
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
            denied(Need::Passwords, "~account:*"),
        ];
        let levels = |passwords, metrics| {
            let findings = check(&all, "inn", passwords, metrics);
            findings.iter().map(|one| one.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(false, false), [Level::Failure, Level::Warning]);
        assert_eq!(
            levels(false, true),
            [Level::Failure, Level::Warning, Level::Warning]
        );
        assert_eq!(
            levels(true, false),
            [Level::Failure, Level::Failure, Level::Warning]
        );
        let findings = check(&all, "inn", false, false);
        let text = &findings.first().unwrap().text;
        assert!(
            text.ends_with("Grant it: `ACL SETUSER inn +del ~ended_session:*`."),
            "{text}"
        );
        assert!(check(&[], "inn", true, true).is_empty());
    }
}
