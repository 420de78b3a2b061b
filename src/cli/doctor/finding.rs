//! The findings of doctor, and the report of them.

use std::fmt::Write;

use serde::Serialize;

use crate::session::StoreError;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    /// Worth knowing, and perhaps intended.
    Note,
    /// Works, and will cause trouble.
    Warning,
    /// Does not work.
    Failure,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) subject: &'static str,
    /// The fact and what to change, as sentences.
    pub(super) text: String,
}

pub(super) fn ok(subject: &'static str, fact: impl Into<String>) -> Finding {
    finding(Level::Ok, subject, fact)
}

pub(super) fn note(subject: &'static str, fact: impl Into<String>) -> Finding {
    finding(Level::Note, subject, fact)
}

pub(super) fn warning(subject: &'static str, fact: &str, change: &str) -> Finding {
    finding(Level::Warning, subject, format!("{fact} {change}"))
}

pub(super) fn failure(subject: &'static str, fact: &str, change: &str) -> Finding {
    finding(
        Level::Failure,
        subject,
        format!("{fact} {change}").trim_end(),
    )
}

fn finding(level: Level, subject: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        level,
        subject,
        text: text.into(),
    }
}

/// The exit status, by the worst of them.
pub(super) fn status(findings: &[Finding]) -> u8 {
    match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Failure) => 2,
        Some(Level::Warning) => 1,
        Some(Level::Ok | Level::Note) | None => 0,
    }
}

/// A JSON array.
pub(super) fn json(findings: &[Finding]) -> Result<String, String> {
    serde_json::to_string_pretty(findings)
        .map(|text| text + "\n")
        .map_err(|error| error.to_string())
}

/// A line for each finding, and a summary.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for one in findings {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:<9}{:<13}{}",
            one.level.word(),
            one.subject,
            one.text
        );
    }
    let verdict = match status(findings) {
        0 => "All well",
        1 => "It works, but",
        _ => "It does not work",
    };
    let number = |level| findings.iter().filter(|one| one.level == level).count();
    let counted: Vec<_> = [Level::Failure, Level::Warning, Level::Note, Level::Ok]
        .into_iter()
        .filter_map(|level| match (number(level), level) {
            (0, _) => None,
            (many, Level::Ok) => Some(format!("{many} ok")),
            (1, level) => Some(format!("1 {}", level.word())),
            (many, level) => Some(format!("{many} {}s", level.word())),
        })
        .collect();
    let _ = writeln!(text, "{verdict}: {}.", counted.join(", "));
    text
}

/// The reason of an error, for the end of a sentence.
pub(super) fn problem(error: &StoreError) -> String {
    if let StoreError::Timeout(timeout) = error {
        format!("no answer within {} s", timeout.as_secs())
    } else {
        error.reason()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        let (fine, bad) = (
            ok("a", "Fine."),
            warning("clock", "It is late.", "Mend it."),
        );
        let (known, broken) = (note("b", "So."), failure("c", "No.", "Yes."));
        for (findings, summary, exit_status) in [
            (vec![fine.clone()], "All well: 1 ok.\n", 0),
            (
                vec![fine.clone(), known.clone()],
                "All well: 1 note, 1 ok.\n",
                0,
            ),
            (
                vec![bad.clone(), bad.clone()],
                "It works, but: 2 warnings.\n",
                1,
            ),
            (
                vec![fine, bad.clone(), known, broken],
                "It does not work: 1 failure, 1 warning, 1 note, 1 ok.\n",
                2,
            ),
        ] {
            let text = text(&findings);
            assert!(text.ends_with(summary), "{text}");
            assert_eq!(status(&findings), exit_status);
        }
        let two = [ok("eviction", "Fine."), bad];
        let text = text(&two);
        assert!(text.starts_with(
            "ok       eviction     Fine.\nwarning  clock        It is late. Mend it.\n"
        ));
    }
}
