//! Lists and ends users' sessions, whoever's they are.

use std::cmp::Reverse;
use std::fmt::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::{print, remark};
use crate::config::{Config, Location, StoreChoice};
use crate::session::{
    Clock, EndOutcome, Handle, Listed, Listing, SessionStore, Sessions, StoreError, UserName,
    is_forbidden, rfc3339,
};
use crate::store;
use crate::store::embedded::{Place, survey};

/// What an operator does with sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsCommand {
    /// Shows a user's live sessions, the last used first
    List {
        /// The user's name, as it is typed to sign in
        user: String,
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Ends a session, or all of a user's, at once on every instance
    ///
    /// Exit status: 0 ended, 1 there was none, 2 it could not be done.
    End(Whose),
}

/// Which sessions are to end.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// The session with this handle, as `list` shows it (in Redis this looks through all sessions)
    handle: Option<String>,
    /// All sessions of this user
    #[arg(long)]
    user: Option<String>,
}

impl fmt::Display for SessionsCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List { .. } => "list",
            Self::End(_) => "end",
        })
    }
}

impl SessionsCommand {
    pub(super) async fn run(&self, config: &Config) -> Result<ExitCode, String> {
        let sessions = open(config)?;
        match self {
            Self::List { user, json } => list(&sessions, user, *json).await,
            Self::End(Whose {
                user: Some(user), ..
            }) => end_all(&sessions, user).await,
            Self::End(Whose { handle, .. }) => {
                end_one(&sessions, handle.as_deref().unwrap_or_default()).await
            }
        }
    }
}

fn open(config: &Config) -> Result<Sessions, String> {
    let clock = Clock::start();
    let store = match &config.store {
        StoreChoice::Embedded(location) => open_embedded(config, location, clock.clone())?,
        StoreChoice::Redis { .. } => store::open(config, clock.clone())?,
    };
    let most = config.max_sessions_per_user;
    Ok(Sessions::new(store, config.lifetimes, most, clock))
}

fn open_embedded(
    config: &Config,
    location: &Location,
    clock: Clock,
) -> Result<Arc<dyn SessionStore>, String> {
    let location = match survey(location) {
        Place::There { .. } => location,
        // Neither made only to be found empty, nor taken for empty: nobody's session is over because it was not seen.
        Place::Missing(outcome) => {
            let why = outcome.err().map_or_else(
                || "there is none".to_owned(),
                |error| format!("it cannot be read: {error}"),
            );
            return Err(format!(
                "the session store in {location} cannot be opened ({why}); run this in the server's folder and as its \
                 user, or name the folder with INNKEEPER_STORE_PATH"
            ));
        }
        Place::Memory => {
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
    let problem = told(error);
    let right = if problem.contains("scan") {
        ". To look through all sessions, Innkeeper's Redis user needs +scan"
    } else {
        ""
    };
    remark(&format!(
        "Only sessions in this user's list are seen, and none that it may have lost: {problem}{right}."
    ))
}

async fn list(sessions: &Sessions, user: &str, json: bool) -> Result<ExitCode, String> {
    let names = names(user);
    restore_lists(sessions, &names).await?;
    let (mut listed, mut all) = (Vec::new(), true);
    for name in &names {
        let known = sessions.list_for_operator(name).await.map_err(told)?;
        let Listing { sessions, complete } = known;
        listed.extend(sessions);
        all &= complete;
    }
    listed.sort_by_key(|listed| Reverse(listed.last_active_at));
    let rows: Vec<_> = listed.iter().map(Row::from).collect();
    if json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        print(&format!("{text}\n"))?;
    } else if rows.is_empty() && all {
        print(&format!("{} has no session.\n", visible(user)))?;
    } else {
        print(&table(&rows))?;
    }
    if !all {
        return Err("these may not be all: a part of the store did not answer".to_owned());
    }
    Ok(ExitCode::SUCCESS)
}

/// A session without the power to use it. What another program's sign-in did not record is `null`.
#[derive(Serialize)]
struct Row<'a> {
    handle: String,
    agent: Option<&'a str>,
    ip: Option<&'a str>,
    created_at: Option<String>,
    last_active_at: String,
    expires_at: String,
}

impl<'a> From<&'a Listed> for Row<'a> {
    fn from(listed: &'a Listed) -> Self {
        let visitor = &listed.session.visitor;
        Self {
            handle: listed.handle.to_string(),
            agent: visitor.agent.as_deref(),
            ip: visitor.ip.as_deref(),
            created_at: listed.session.created_at.map(rfc3339),
            last_active_at: rfc3339(listed.last_active_at),
            expires_at: rfc3339(listed.ends_at),
        }
    }
}

/// The last column is as wide as it is: a `User-Agent` would push all others off the screen.
fn table(rows: &[Row<'_>]) -> String {
    let ips = rows.iter().filter_map(|row| row.ip);
    let wide = ips
        .map(str::len)
        .max()
        .unwrap_or_default()
        .max("ADDRESS".len());
    let mut text = String::new();
    let mut line = |[handle, since, active, ends, ip, agent]: [&str; 6]| {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{handle:<34}{since:<22}{active:<22}{ends:<22}{:<wide$}  {}",
            visible(ip),
            visible(agent)
        );
    };
    line(["HANDLE", "SINCE", "LAST ACTIVE", "ENDS", "ADDRESS", "AGENT"]);
    for row in rows {
        line([
            &row.handle,
            row.created_at.as_deref().unwrap_or("-"),
            &row.last_active_at,
            &row.expires_at,
            row.ip.unwrap_or("-"),
            row.agent.unwrap_or("-"),
        ]);
    }
    text
}

/// What another program wrote may hold what moves a terminal's cursor, or turns its text around.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if is_forbidden(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

async fn end_all(sessions: &Sessions, user: &str) -> Result<ExitCode, String> {
    let names = names(user);
    restore_lists(sessions, &names).await?;
    let mut all = EndOutcome::default();
    for name in &names {
        let EndOutcome { ended, failure } = sessions.end_by_operator(name).await.map_err(told)?;
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

async fn end_one(sessions: &Sessions, handle: &str) -> Result<ExitCode, String> {
    const NONE: &str =
        "No session has this handle; `innkeeper sessions list USER` shows a user's.\n";
    // What is no handle might be an id, typed by mistake: it is not repeated.
    let Some(handle) = Handle::parse(handle) else {
        print(
            "This is no handle, which has 32 digits and letters from a to f; `innkeeper sessions list USER` shows a user's.\n",
        )?;
        return Ok(ExitCode::from(1));
    };
    let ended = sessions.end_handle_by_operator(handle).await;
    let ended = ended.map_err(|error| match told(error) {
        problem if problem.contains("scan") => format!(
            "{problem}. To look for a handle, Innkeeper's Redis user needs +scan; `--user USER` ends without it those in his list"
        ),
        problem => problem,
    })?;
    sessions.close().await;
    let Some(user) = ended else {
        print(NONE)?;
        return Ok(ExitCode::from(1));
    };
    print(&format!("Ended session {handle} of {}.\n", visible(&user)))?;
    Ok(ExitCode::SUCCESS)
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

    #[test]
    fn nothing_moves_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
