//! Checks whether the embedded store's file can be used.

use std::sync::Arc;

use crate::cli::doctor::accounts;
use crate::cli::doctor::finding::{Finding, failure, note, ok, problem, warning};
use crate::cli::doctor::self_test;
use crate::cli::store::embedded as embedded_store;
use crate::clock::Clock;
use crate::config::{Config, SignInMode, StorePath};
use crate::control::RemoteStore;
use crate::session::SessionStore;
use crate::store;
use crate::store::embedded::{FileState, exposed, inspect};

const SUBJECT: &str = "store";

pub(super) async fn run(config: &Config, path: &StorePath) -> Vec<Finding> {
    let file = inspect(path);
    let mut findings = check(path, &file, config.sign_in);
    if let FileState::There { .. } = file {
        findings.extend(match embedded_store::running_server(path).await {
            Ok(Some(server)) => ask(config, path, &server).await,
            Ok(None) => open(config, path).await,
            Err(problem) => vec![failure(SUBJECT, &format!("{problem}."), "")],
        });
        findings.extend(exposed(path).iter().map(|problem| {
            warning(
                SUBJECT,
                &format!("{problem}."),
                "Close the volume to other users of this machine, or set `store_path` to a folder of its own.",
            )
        }));
    }
    findings
}

fn check(path: &StorePath, file: &FileState, sign_in: SignInMode) -> Vec<Finding> {
    match file {
        FileState::Memory if sign_in == SignInMode::Password => vec![failure(
            SUBJECT,
            "Accounts are kept in memory only: a restart loses all of them.",
            "Set `store_path` to a folder.",
        )],
        FileState::Memory => vec![note(
            SUBJECT,
            "Sessions are kept in memory only: a restart signs everybody out. To keep them, set `store_path` to a folder.",
        )],
        FileState::Missing(Ok(())) => vec![ok(
            SUBJECT,
            format!(
                "Sessions will be kept in {path}, which the first launch creates, for one process."
            ),
        )],
        FileState::Missing(Err(problem)) => vec![failure(
            SUBJECT,
            &format!("Nothing can be written to {path} ({problem})."),
            "Set `store_path` to a folder that this process can write to.",
        )],
        FileState::There {
            mode,
            is_ours: true,
        } if mode & 0o077 != 0 => vec![note(
            SUBJECT,
            format!(
                "The file in {path} was open to others on this machine (mode {mode:o}). Innkeeper closes it whenever \
                 it opens it; find out who changed that."
            ),
        )],
        FileState::There { .. } => Vec::new(),
    }
}

/// Asks the server that has it open.
async fn ask(config: &Config, path: &StorePath, server: &RemoteStore) -> Vec<Finding> {
    let store = match server.check().await {
        Ok(()) => ok(
            SUBJECT,
            format!(
                "The store in {path} is in use by a running Innkeeper, which can use it and takes commands."
            ),
        ),
        Err(error) => failure(
            SUBJECT,
            &format!(
                "The store in {path} is in use by a running Innkeeper, which cannot use it: {}.",
                problem(&error)
            ),
            "Its log says more.",
        ),
    };
    let accounts = accounts::check(config, server).await;
    [store].into_iter().chain(accounts).collect()
}

/// Opens the store as a launch does, but takes no older file over.
async fn open(config: &Config, path: &StorePath) -> Vec<Finding> {
    let clock = Clock::start();
    match embedded_store::open_file(config, path, clock.clone()) {
        Err(error) if error.is_in_use() => vec![ok(
            SUBJECT,
            format!(
                "The store in {path} is in use by another process that takes no commands (an application with Innkeeper's \
                 stage, say, or a server that is still starting), so it was not opened."
            ),
        )],
        Err(error) if error.is_older() => vec![note(
            SUBJECT,
            format!(
                "The store in {path} was written by an older version of Innkeeper, and the next start of the server takes \
                 it over: it copies the file, for which the disk needs room. Until then nothing in it is checked."
            ),
        )],
        Err(error) => vec![failure(
            SUBJECT,
            "The session store cannot be opened.",
            &format!("{error}."),
        )],
        Ok(store) => {
            let store = Arc::new(store);
            let accounts = accounts::check(config, &*store).await;
            let sessions = store::sessions(config, store, None, clock);
            let kept = ok(
                SUBJECT,
                format!("Sessions are kept in {path}, for one process."),
            );
            let mut findings = vec![kept, self_test::run(&sessions).await];
            findings.extend(accounts);
            findings
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
    fn only_a_folder_that_cannot_be_written_is_a_failure() {
        let path = StorePath::Folder("data".into());
        for (file, level) in [
            (FileState::Memory, Some(Level::Note)),
            (FileState::Missing(Ok(())), Some(Level::Ok)),
            (
                FileState::Missing(Err(io::Error::other("full"))),
                Some(Level::Failure),
            ),
            (there(0o644, true), Some(Level::Note)),
            // `exposed` looks at it when it has been opened.
            (there(0o644, false), None),
            (there(0o600, true), None),
        ] {
            let found = check(&path, &file, SignInMode::Open)
                .first()
                .map(|one| one.level);
            assert_eq!(found, level, "{file:?}");
        }
        let accounts = check(&StorePath::Memory, &FileState::Memory, SignInMode::Password);
        assert_eq!(accounts.first().map(|one| one.level), Some(Level::Failure));
    }
}
