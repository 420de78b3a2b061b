//! The embedded store: whether its file can be used.

use std::sync::Arc;

use crate::cli::doctor::finding::{Finding, failure, note, ok, warning};
use crate::cli::doctor::self_test;
use crate::clock::Clock;
use crate::config::{Config, StorePath};
use crate::session::Sessions;
use crate::store;
use crate::store::embedded::{Exposed, FileState, exposed, inspect};

const SUBJECT: &str = "store";

pub(super) async fn examine(config: &Config, location: &StorePath) -> Vec<Finding> {
    let place = inspect(location);
    let mut findings = judge(location, &place);
    if let FileState::There { .. } = place {
        findings.extend(open(config, location).await);
        findings.extend(exposed(location).iter().map(open_to_others));
    }
    findings
}

fn open_to_others(exposed: &Exposed) -> Finding {
    warning(
        SUBJECT,
        &format!("{exposed}."),
        "Let nobody else on this machine into the volume, or give `store_path` a folder of its own.",
    )
}

fn judge(location: &StorePath, place: &FileState) -> Vec<Finding> {
    match place {
        FileState::Memory => vec![note(
            SUBJECT,
            "Sessions are kept in memory only: a restart signs everybody out. Set `store_path` to a folder if you mind.",
        )],
        FileState::Missing(Ok(())) => vec![ok(
            SUBJECT,
            format!(
                "Sessions will be kept in {location}, which the first launch makes, for one process."
            ),
        )],
        FileState::Missing(Err(problem)) => vec![failure(
            SUBJECT,
            &format!("Nothing can be written in {location} ({problem})."),
            "Set `store_path` to a folder that this process can write to.",
        )],
        FileState::There {
            mode,
            is_ours: true,
        } if mode & 0o077 != 0 => vec![note(
            SUBJECT,
            format!(
                "The file in {location} was open to others on this machine (mode {mode:o}). Innkeeper closes it to them \
                 whenever it opens it; look for who changed that."
            ),
        )],
        FileState::There { .. } => Vec::new(),
    }
}

/// As a launch does.
async fn open(config: &Config, location: &StorePath) -> Vec<Finding> {
    let clock = Clock::start();
    match store::open_embedded(config, location, clock.clone()) {
        Err(error) if error.is_in_use() => vec![ok(
            SUBJECT,
            format!(
                "The store in {location} is in use by a running Innkeeper, so it was not opened."
            ),
        )],
        Err(error) => vec![failure(
            SUBJECT,
            "The session store cannot be opened.",
            &format!("{error}."),
        )],
        Ok(store) => {
            let limit = config.max_sessions_per_user;
            let timeout = store::timeout(config);
            let sessions = Sessions::new(Arc::new(store), config.lifetimes, limit, timeout, clock);
            vec![
                ok(
                    SUBJECT,
                    format!("Sessions are kept in {location}, for one process."),
                ),
                self_test::prove(&sessions).await,
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::cli::doctor::finding::Level;

    fn there(mode: u32, is_ours: bool) -> FileState {
        FileState::There { mode, is_ours }
    }

    #[test]
    fn only_a_place_that_cannot_be_written_is_a_failure() {
        let location = StorePath::Folder("data".into());
        for (place, level) in [
            (FileState::Memory, Some(Level::Note)),
            (FileState::Missing(Ok(())), Some(Level::Ok)),
            (
                FileState::Missing(Err(io::Error::other("full"))),
                Some(Level::Failure),
            ),
            (there(0o644, true), Some(Level::Note)),
            // Looked at once more when it has been opened.
            (there(0o644, false), None),
            (there(0o600, true), None),
        ] {
            let found = judge(&location, &place).first().map(|one| one.level);
            assert_eq!(found, level, "{place:?}");
        }
    }
}
