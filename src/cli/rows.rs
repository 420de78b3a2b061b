//! Listed sessions, as a table or as a JSON array.

use std::collections::HashSet;
use std::time::SystemTime;

use serde::Serialize;

use crate::cli::table::table;
use crate::clock::rfc3339;
use crate::session::ListedSession;
use crate::user_name::is_disallowed;

const COLUMNS: [&str; 7] = [
    "HANDLE",
    "USER",
    "CREATED AT",
    "LAST ACTIVE AT",
    "EXPIRES AT",
    "IP",
    "USER AGENT",
];

/// A session without its id. What another program's sign-in did not record is `null`.
#[derive(Debug, Serialize)]
struct Row {
    handle: String,
    user: String,
    created_at: Option<String>,
    last_active_at: String,
    expires_at: String,
    ip: Option<String>,
    user_agent: Option<String>,
    #[serde(skip)]
    used_at: SystemTime,
}

impl From<ListedSession> for Row {
    fn from(listed: ListedSession) -> Self {
        let session = listed.session;
        Self {
            handle: listed.handle.to_string(),
            user: session.user,
            created_at: session.created_at.map(rfc3339),
            last_active_at: rfc3339(listed.last_active_at),
            expires_at: rfc3339(listed.expires_at),
            ip: session.client.ip,
            user_agent: session.client.user_agent,
            used_at: listed.last_active_at,
        }
    }
}

/// Those of many sessions that were used last. At most twice the limit are in memory at any time.
#[derive(Debug)]
pub(crate) struct Rows {
    limit: usize,
    kept: Vec<Row>,
    /// How many were added and are not shown.
    left_out: usize,
}

impl From<Vec<ListedSession>> for Rows {
    fn from(sessions: Vec<ListedSession>) -> Self {
        let mut rows = Self::new(sessions.len());
        for one in sessions {
            rows.add(one);
        }
        rows.finish()
    }
}

impl Rows {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Vec::new(),
            left_out: 0,
        }
    }

    pub(crate) fn add(&mut self, listed: ListedSession) {
        self.kept.push(listed.into());
        if self.kept.len() >= self.limit.saturating_mul(2) {
            self.truncate();
        }
    }

    /// Sorts them, the last used first.
    pub(crate) fn finish(mut self) -> Self {
        self.truncate();
        self
    }

    fn truncate(&mut self) {
        let mut seen = HashSet::new();
        // A store may list a session twice.
        self.kept.retain(|row| seen.insert(row.handle.clone()));
        self.kept
            .sort_by(|a, b| (b.used_at, &a.handle).cmp(&(a.used_at, &b.handle)));
        self.left_out += self.kept.len().saturating_sub(self.limit);
        self.kept.truncate(self.limit);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn left_out(&self) -> usize {
        self.left_out
    }

    pub(crate) fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(&self.kept)
            .map(|text| text + "\n")
            .map_err(|error| error.to_string())
    }

    /// The columns are named as the fields of [`json`](Self::json).
    pub(crate) fn table(&self) -> String {
        let mut lines = vec![COLUMNS.map(str::to_owned)];
        lines.extend(self.kept.iter().map(cells));
        table(&lines)
    }
}

fn cells(row: &Row) -> [String; 7] {
    let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), visible);
    [
        row.handle.clone(),
        visible(&row.user),
        or_dash(&row.created_at),
        row.last_active_at.clone(),
        row.expires_at.clone(),
        or_dash(&row.ip),
        or_dash(&row.user_agent),
    ]
}

/// Replaces the characters that move a terminal's cursor or reverse its text: another program may have stored some.
pub(crate) fn visible(text: &str) -> String {
    text.replace(is_disallowed, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::client::Client;
    use crate::session::{Session, SessionHandle, SessionId};

    fn used(at: u64, id: &SessionId) -> ListedSession {
        let timestamp = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        ListedSession {
            handle: SessionHandle::from(id),
            session: Session {
                user: at.to_string(),
                status: String::new(),
                data: BTreeMap::new(),
                own: BTreeMap::new(),
                created_at: None,
                client: Client::default(),
            },
            last_active_at: timestamp,
            expires_at: timestamp + Duration::from_secs(900),
        }
    }

    #[test]
    fn the_last_used_are_kept_and_the_others_counted() {
        let mut rows = Rows::new(3);
        for at in [5, 1, 9, 2, 8, 3, 7, 4, 6] {
            rows.add(used(at, &SessionId::generate()));
            assert!(rows.kept.len() < 6);
        }
        let rows = rows.finish();
        let users: Vec<_> = rows.kept.iter().map(|row| row.user.as_str()).collect();
        assert_eq!(users, ["9", "8", "7"]);
        assert_eq!(rows.left_out(), 6);
    }

    #[test]
    fn a_session_that_is_added_twice_is_shown_once() {
        let id = SessionId::generate();
        let rows = Rows::from(vec![
            used(5, &id),
            used(1, &SessionId::generate()),
            used(5, &id),
        ]);
        assert_eq!(rows.kept.len(), 2);
        assert_eq!(rows.left_out(), 0);
    }

    #[test]
    fn nothing_moves_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
