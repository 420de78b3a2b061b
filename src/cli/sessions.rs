//! The commands `sessions list` and `sessions end`.

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};
use unicode_normalization::UnicodeNormalization;

use crate::cli::output::{eprint, print};
use crate::cli::rows::{Rows, visible};
use crate::cli::store;
use crate::client::Client;
use crate::config::Config;
use crate::session::{EndReason, HandlePrefix, Selection, Sessions, StoreError};
use crate::user_name::UserName;

/// A command on sessions.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// Lists active sessions, the last used first
    List(ListArgs),
    /// Ends a session, all sessions of a user, or all, at once on every instance and without asking
    ///
    /// Exit status: 0 ended, 1 there was none, 2 it could not be done, 3 the handles of several sessions begin with these
    /// digits, and none was ended.
    End(EndArgs),
}

/// Which sessions are listed, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// The user's name, as typed at sign-in; without it all users' sessions (in Redis this scans all keys)
    user: Option<String>,
    /// Lists at most this many, those used last; standard error says how many are left out
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    limit: u32,
    /// Prints a JSON array
    #[arg(long)]
    json: bool,
}

/// Which sessions are ended.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct EndArgs {
    /// The session with this handle, as `list` shows it, or with its first eight digits or more, as the log shows them (in
    /// Redis this scans all keys)
    handle: Option<String>,
    /// All sessions of this user
    #[arg(long)]
    user: Option<String>,
    /// All sessions of all users
    #[arg(long)]
    all: bool,
}

impl fmt::Display for SessionsCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List(_) => "list",
            Self::End(_) => "end",
        })
    }
}

impl SessionsCommand {
    pub(crate) async fn run(&self, config: &Config) -> Result<ExitCode, String> {
        let (_, sessions) = store::open(config).await?;
        let outcome = match self {
            Self::List(args) => list(&sessions, args).await,
            Self::End(EndArgs { all: true, .. }) => end_all(&sessions).await,
            Self::End(EndArgs {
                user: Some(user), ..
            }) => end_of_user(&sessions, user).await,
            Self::End(EndArgs { handle, .. }) => {
                end_by_handle(&sessions, handle.as_deref().unwrap_or_default()).await
            }
        };
        sessions.close().await;
        outcome
    }
}

/// The names that a typed one may stand for; first the one that signs in here. Another program may have created sessions
/// under a name that cannot sign in here, or under its other Unicode normal form, which looks the same, and an operator must
/// be able to end those too.
fn names(typed: &str) -> Vec<String> {
    let as_at_sign_in = UserName::parse(typed).map(|name| name.as_str().to_owned());
    let decomposed = typed.nfd().collect();
    let mut names = vec![as_at_sign_in.unwrap_or_else(|_| typed.to_owned())];
    for other in [typed.to_owned(), decomposed] {
        if !names.contains(&other) {
            names.push(other);
        }
    }
    names
}

/// Searches all sessions for those that the lists of these users have lost. If that fails, a line says so, and the lists are
/// used as they are.
async fn restore_lists(sessions: &Sessions, names: &[String]) -> Result<(), String> {
    let Err(error) = sessions.restore_lists(names).await else {
        return Ok(());
    };
    eprint(&format!(
        "Only sessions in this user's list are seen, none that the list may have lost: {}.",
        search_failed(&error)
    ))
}

async fn list(sessions: &Sessions, args: &ListArgs) -> Result<ExitCode, String> {
    let mut rows = Rows::new(args.limit as usize);
    let outcome = if let Some(user) = &args.user {
        list_of_user(sessions, user, &mut rows).await
    } else {
        let all = sessions.list_all(&mut |one| rows.add(one)).await;
        all.map_err(|error| search_failed(&error))
    };
    let rows = rows.finish();
    // Also after an error, the sessions that were found are shown.
    if !rows.is_empty() || outcome.is_ok() {
        print(&if args.json {
            rows.json()?
        } else if rows.is_empty() {
            no_session(args.user.as_deref())
        } else {
            rows.table()
        })?;
    }
    if rows.left_out() > 0 {
        let left_out = rows.left_out();
        eprint(&format!("{left_out} more are not shown; see --limit"))?;
    }
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(problem) if rows.is_empty() => Err(problem),
        Err(problem) => Err(format!("these may not be all: {problem}")),
    }
}

async fn list_of_user(sessions: &Sessions, user: &str, rows: &mut Rows) -> Result<(), String> {
    let names = names(user);
    restore_lists(sessions, &names).await?;
    let mut complete = true;
    for name in &names {
        let known = sessions.list(name, None).await;
        let known = known.map_err(|error| error.to_string())?;
        for one in known.sessions {
            rows.add(one);
        }
        complete &= known.complete;
    }
    complete
        .then_some(())
        .ok_or_else(|| "a part of the store did not answer".to_owned())
}

async fn end_all(sessions: &Sessions) -> Result<ExitCode, String> {
    let outcome = sessions
        .end_all()
        .await
        .map_err(|error| search_failed(&error))?;
    let failure = outcome.failure.map(|error| search_failed(&error));
    report_end(outcome.ended.len(), failure, None)
}

async fn end_of_user(sessions: &Sessions, user: &str) -> Result<ExitCode, String> {
    let names = names(user);
    restore_lists(sessions, &names).await?;
    let (mut number, mut failure) = (0, None);
    let unknown = Client::default();
    for name in &names {
        let end = sessions.end_of_user(name, Selection::All, EndReason::ByOperator, &unknown);
        let outcome = end.await.map_err(|error| error.to_string())?;
        number += outcome.ended.len();
        failure = failure.or(outcome.failure);
    }
    report_end(number, failure.map(|error| error.to_string()), Some(user))
}

/// Prints how many sessions have ended, of a user or of all; the error is what failed.
fn report_end(
    number: usize,
    failure: Option<String>,
    user: Option<&str>,
) -> Result<ExitCode, String> {
    if number > 0 {
        let sessions = if number == 1 { "session" } else { "sessions" };
        let of_user = user.map_or_else(String::new, |user| format!(" of {}", visible(user)));
        print(&format!("Ended {number} {sessions}{of_user}.\n"))?;
    }
    match failure {
        Some(problem) if number == 0 && user.is_none() => Err(problem),
        Some(problem) => Err(format!("others may still be active: {problem}")),
        None if number > 0 => Ok(ExitCode::SUCCESS),
        None => {
            print(&no_session(user))?;
            Ok(ExitCode::from(1))
        }
    }
}

fn no_session(user: Option<&str>) -> String {
    user.map_or_else(
        || "Nobody has a session.\n".to_owned(),
        |user| format!("{} has no session.\n", visible(user)),
    )
}

async fn end_by_handle(sessions: &Sessions, typed: &str) -> Result<ExitCode, String> {
    // The text is not printed: it may be the id of a session, typed by mistake.
    let Some(prefix) = HandlePrefix::parse(typed) else {
        print(
            "This is no handle, which has 32 digits and letters from a to f, nor the first eight or more of one; \
             `innkeeper sessions list` shows them.\n",
        )?;
        return Ok(ExitCode::from(1));
    };
    let mut handle = prefix.whole();
    if handle.is_none() {
        let found = sessions.find(prefix).await;
        let found = found.map_err(|error| handle_search_failed(&error))?;
        if found.len() > 1 {
            print(&format!(
                "The handles of {} sessions begin like this, so none was ended. Name one by its whole handle:\n{}",
                found.len(),
                Rows::from(found).table()
            ))?;
            return Ok(ExitCode::from(3));
        }
        handle = found.first().map(|one| one.handle);
    }
    if let Some(handle) = handle {
        let user = sessions.end_by_handle(handle).await;
        if let Some(user) = user.map_err(|error| handle_search_failed(&error))? {
            print(&format!("Ended session {handle} of {}.\n", visible(&user)))?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    print("No session has this handle; `innkeeper sessions list` shows them.\n")?;
    Ok(ExitCode::from(1))
}

fn handle_search_failed(error: &StoreError) -> String {
    let problem = search_failed(error);
    if problem.contains("+scan") {
        return format!("{problem}; `--user USER` ends without it those in the user's list");
    }
    problem
}

/// Why the sessions of the store could not be searched.
fn search_failed(error: &StoreError) -> String {
    if error.to_string().contains("'scan'") {
        return format!("{error}. To search all sessions, Innkeeper's Redis user needs +scan");
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_at_sign_in_where_it_could_sign_in() {
        assert_eq!(names("zoe"), ["zoe"]);
        assert_eq!(names(" zoe"), [" zoe"]);
        for typed in ["Zoe\u{308}", "Zo\u{eb}"] {
            assert_eq!(names(typed), ["Zo\u{eb}", "Zoe\u{308}"]);
        }
    }
}
