//! Lists and ends users' sessions, whoever's they are.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand, value_parser};
use unicode_normalization::UnicodeNormalization;

use crate::cli::output::{print, remark};
use crate::cli::rows::{Rows, visible};
use crate::client::Client;
use crate::clock::Clock;
use crate::config::{Config, StoreConfig, StorePath};
use crate::session::{
    EndOutcome, EndReason, HandlePrefix, ListedSession, Selection, SessionHandle, SessionStore,
    Sessions, StoreError,
};
use crate::store;
use crate::store::embedded::{FileState, inspect};
use crate::user_name::UserName;

/// What an operator does with sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsCommand {
    /// Shows live sessions, the last used first
    List(Shown),
    /// Ends a session, all of a user's, or all, at once on every instance; asks nothing
    ///
    /// Exit status: 0 ended, 1 there was none, 2 it could not be done, 3 several sessions' handles begin like this and
    /// none was ended.
    End(Whose),
}

/// Which sessions are shown, and how.
#[derive(Args, Clone, Debug)]
pub struct Shown {
    /// The user's name, as it is typed to sign in; without it all users' sessions (in Redis this looks through all keys)
    user: Option<String>,
    /// Shows no more than so many, which were used last; how many there are besides is said on standard error
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    limit: u32,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

/// Which sessions are to end.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// The session with this handle, as `list` shows it, or as the log shows its first eight digits (in Redis this looks
    /// through all keys)
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
    pub(super) async fn run(&self, config: &Config) -> Result<ExitCode, String> {
        let sessions = open(config)?;
        match self {
            Self::List(shown) => list(&sessions, shown).await,
            Self::End(Whose { all: true, .. }) => end_all(&sessions).await,
            Self::End(Whose {
                user: Some(user), ..
            }) => end_of(&sessions, user).await,
            Self::End(Whose { handle, .. }) => {
                end_one(&sessions, handle.as_deref().unwrap_or_default()).await
            }
        }
    }
}

fn open(config: &Config) -> Result<Sessions, String> {
    let clock = Clock::start();
    let store = match &config.store {
        StoreConfig::Embedded(location) => open_embedded(config, location, clock.clone())?,
        StoreConfig::Redis { .. } => store::open(config, clock.clone())?,
    };
    let limit = config.max_sessions_per_user;
    let timeout = store::timeout(config);
    Ok(Sessions::new(
        store,
        config.lifetimes,
        limit,
        timeout,
        clock,
    ))
}

fn open_embedded(
    config: &Config,
    location: &StorePath,
    clock: Clock,
) -> Result<Arc<dyn SessionStore>, String> {
    let location = match inspect(location) {
        FileState::There { .. } => location,
        // Neither made only to be found empty, nor taken for empty: nobody's session is over because it was not seen.
        FileState::Missing(outcome) => {
            let why = outcome.err().map_or_else(
                || "there is none".to_owned(),
                |error| format!("it cannot be read: {error}"),
            );
            return Err(format!(
                "the session store in {location} cannot be opened ({why}); run this in the server's folder and as its \
                 user, or name the folder with INNKEEPER_STORE_PATH"
            ));
        }
        FileState::Memory => {
            return Err(
                "`store_path` is `:memory:`, so sessions are seen only by the process that serves them; to list or end \
                 them from here, keep them in Redis (REDIS_URL)"
                    .to_owned(),
            );
        }
    };
    match store::open_embedded(config, location, clock) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) if error.is_in_use() => Err(format!(
            "{error}. To list or end its sessions from here, stop it first; with Redis it may go on running"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// The names that a typed one may stand for, the one that signs in first. Another program may have begun sessions under
/// a name that could not sign in here, or in the other spelling of its letters, which looks the same; and an operator must
/// be able to end them.
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

/// Looks through all sessions for those that their user's list has lost. Where that cannot be done, the list has to do.
async fn restore_lists(sessions: &Sessions, names: &[String]) -> Result<(), String> {
    let Err(error) = sessions.restore_lists(names).await else {
        return Ok(());
    };
    remark(&format!(
        "Only sessions in this user's list are seen, and none that it may have lost: {}.",
        search_failed(error)
    ))
}

async fn list(sessions: &Sessions, shown: &Shown) -> Result<ExitCode, String> {
    let mut rows = Rows::new(usize::try_from(shown.limit).unwrap_or(usize::MAX));
    let outcome = if let Some(user) = &shown.user {
        list_of(sessions, user, &mut rows).await
    } else {
        let all = sessions.list_all(&mut |one| rows.add(one)).await;
        all.map_err(search_failed)
    };
    let rows = rows.finish();
    // What is known is shown, whatever else is not.
    if !rows.is_empty() {
        print(&if shown.json {
            rows.json()?
        } else {
            rows.table()
        })?;
    } else if outcome.is_ok() {
        print(&nobody(shown)?)?;
    }
    if rows.left_out() > 0 {
        let left_out = rows.left_out();
        remark(&format!("{left_out} more are not shown; see --limit"))?;
    }
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(problem) if rows.is_empty() => Err(problem),
        Err(problem) => Err(format!("these may not be all: {problem}")),
    }
}

async fn list_of(sessions: &Sessions, user: &str, rows: &mut Rows) -> Result<(), String> {
    let names = names(user);
    restore_lists(sessions, &names).await?;
    let mut all = true;
    for name in &names {
        let known = sessions.list(name, None).await.map_err(told)?;
        for session in known.sessions {
            rows.add(session);
        }
        all &= known.complete;
    }
    all.then_some(())
        .ok_or_else(|| "a part of the store did not answer".to_owned())
}

fn nobody(shown: &Shown) -> Result<String, String> {
    if shown.json {
        return Rows::new(1).json();
    }
    Ok(match &shown.user {
        Some(user) => format!("{} has no session.\n", visible(user)),
        None => "Nobody has a session.\n".to_owned(),
    })
}

async fn end_all(sessions: &Sessions) -> Result<ExitCode, String> {
    let EndOutcome { ended, failure } = sessions.end_all().await.map_err(search_failed)?;
    sessions.close().await;
    let ended = ended.len();
    match (ended, &failure) {
        (0, Some(_)) => {}
        (0, None) => print("Nobody has a session.\n")?,
        (1, _) => print("Ended 1 session.\n")?,
        (many, _) => print(&format!("Ended {many} sessions.\n"))?,
    }
    match failure.map(search_failed) {
        None => Ok(ExitCode::from(u8::from(ended == 0))),
        Some(problem) if ended == 0 => Err(problem),
        Some(problem) => Err(format!("others may be alive: {problem}")),
    }
}

async fn end_of(sessions: &Sessions, user: &str) -> Result<ExitCode, String> {
    let names = names(user);
    restore_lists(sessions, &names).await?;
    let mut all = EndOutcome::default();
    for name in &names {
        let EndOutcome { ended, failure } = sessions
            .end_of_user(
                name,
                Selection::All,
                EndReason::ByOperator,
                &Client::default(),
            )
            .await
            .map_err(told)?;
        all.ended.extend(ended);
        all.failure = all.failure.or(failure);
    }
    sessions.close().await;
    let user = visible(user);
    match (all.ended.len(), &all.failure) {
        (0, Some(_)) => {}
        (0, None) => print(&format!("{user} has no session.\n"))?,
        (1, _) => print(&format!("Ended 1 session of {user}.\n"))?,
        (many, _) => print(&format!("Ended {many} sessions of {user}.\n"))?,
    }
    if let Some(failure) = all.failure {
        return Err(format!("others may be alive: {}", told(failure)));
    }
    Ok(ExitCode::from(u8::from(all.ended.is_empty())))
}

async fn end_one(sessions: &Sessions, typed: &str) -> Result<ExitCode, String> {
    // What is no handle might be an id, typed by mistake: it is not repeated.
    let Some(prefix) = HandlePrefix::parse(typed) else {
        print(
            "This is no handle, which has 32 digits and letters from a to f, nor the first eight or more of one; \
             `innkeeper sessions list` shows them.\n",
        )?;
        return Ok(ExitCode::from(1));
    };
    if let Some(handle) = prefix.whole() {
        return end_handle(sessions, handle).await;
    }
    let found = sessions.find(prefix).await;
    let found = found.map_err(handle_not_found)?;
    match found.as_slice() {
        [] => none(),
        [one] => end_handle(sessions, one.handle).await,
        _ => several(found),
    }
}

async fn end_handle(sessions: &Sessions, handle: SessionHandle) -> Result<ExitCode, String> {
    let ended = sessions.end_by_handle(handle).await;
    let ended = ended.map_err(handle_not_found)?;
    sessions.close().await;
    let Some(user) = ended else {
        return none();
    };
    print(&format!("Ended session {handle} of {}.\n", visible(&user)))?;
    Ok(ExitCode::SUCCESS)
}

fn none() -> Result<ExitCode, String> {
    print("No session has this handle; `innkeeper sessions list` shows them.\n")?;
    Ok(ExitCode::from(1))
}

fn several(found: Vec<ListedSession>) -> Result<ExitCode, String> {
    let number = found.len();
    print(&format!(
        "The handles of {number} sessions begin like this, so none was ended. Name one by its whole handle:\n{}",
        Rows::of(found).table()
    ))?;
    Ok(ExitCode::from(3))
}

fn handle_not_found(error: StoreError) -> String {
    match search_failed(error) {
        problem if problem.contains("+scan") => {
            format!("{problem}; `--user USER` ends without it those in his list")
        }
        problem => problem,
    }
}

/// The store could not be looked through.
fn search_failed(error: StoreError) -> String {
    let problem = told(error);
    if problem.contains("'scan'") {
        return format!(
            "{problem}. To look through all sessions, Innkeeper's Redis user needs +scan"
        );
    }
    problem
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "as `map_err` hands errors over"
)]
fn told(error: StoreError) -> String {
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
