//! Sessions as an operator sees them: rows of a table, or of a JSON array.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt::Write;
use std::time::SystemTime;

use serde::Serialize;

use crate::clock::rfc3339;
use crate::session::{ListedSession, SessionHandle};
use crate::user_name::is_disallowed;

/// A session without the power to use it. What another program's sign-in did not record is `null`.
#[derive(Clone, Debug, Serialize)]
struct Row {
    #[serde(serialize_with = "handle_as_text")]
    handle: SessionHandle,
    user: String,
    created_at: Option<String>,
    last_active_at: String,
    expires_at: String,
    ip: Option<String>,
    user_agent: Option<String>,
    #[serde(skip)]
    used_at: SystemTime,
}

fn handle_as_text<S: serde::Serializer>(
    handle: &SessionHandle,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(handle)
}

impl From<ListedSession> for Row {
    fn from(listed: ListedSession) -> Self {
        let session = listed.session;
        Self {
            handle: listed.handle,
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

/// Some of many sessions: those that were used last.
///
/// However many are added, no more than twice the limit are kept in memory.
#[derive(Debug)]
pub(super) struct Rows {
    limit: usize,
    kept: Vec<Row>,
    /// How many were added, and are not shown.
    left_out: usize,
}

impl Rows {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Vec::new(),
            left_out: 0,
        }
    }

    pub(super) fn of(sessions: Vec<ListedSession>) -> Self {
        let mut rows = Self::new(sessions.len());
        for session in sessions {
            rows.add(session);
        }
        rows.finish()
    }

    pub(super) fn add(&mut self, listed: ListedSession) {
        self.kept.push(listed.into());
        if self.kept.len() >= self.limit.saturating_mul(2) {
            self.keep_the_last_used();
        }
    }

    /// Leaves out what is too much, the last used first.
    pub(super) fn finish(mut self) -> Self {
        self.keep_the_last_used();
        self
    }

    fn keep_the_last_used(&mut self) {
        let mut seen = HashSet::new();
        // A store may hand over a session twice.
        self.kept.retain(|row| seen.insert(row.handle));
        self.kept
            .sort_by_key(|row| (Reverse(row.used_at), row.handle));
        self.left_out += self.kept.len().saturating_sub(self.limit);
        self.kept.truncate(self.limit);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(&self.kept)
            .map(|text| text + "\n")
            .map_err(|error| error.to_string())
    }

    /// Its columns are named as in [`json`](Self::json).
    pub(super) fn table(&self) -> String {
        let mut lines = vec![
            [
                "HANDLE",
                "USER",
                "CREATED AT",
                "LAST ACTIVE AT",
                "EXPIRES AT",
                "IP",
                "USER AGENT",
            ]
            .map(str::to_owned),
        ];
        lines.extend(self.kept.iter().map(cells));
        let mut widths = [0; 7];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for line in &lines {
            for (width, cell) in widths.iter().zip(line).take(6) {
                // Writing to a String does not fail.
                let _ = write!(text, "{cell:<width$}  ");
            }
            // The last one is as wide as it is.
            text.push_str(&line[6]);
            text.push('\n');
        }
        text
    }
}

fn cells(row: &Row) -> [String; 7] {
    let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), visible);
    [
        row.handle.to_string(),
        visible(&row.user),
        or_dash(&row.created_at),
        row.last_active_at.clone(),
        row.expires_at.clone(),
        or_dash(&row.ip),
        or_dash(&row.user_agent),
    ]
}

/// What another program wrote may hold what moves a terminal's cursor, or turns its text around.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if is_disallowed(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::client::Client;
    use crate::session::{Session, SessionId};

    fn used(at: u64, id: &SessionId) -> ListedSession {
        let timestamp = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        ListedSession {
            handle: SessionHandle::from(id),
            session: Session {
                user: at.to_string(),
                status: String::new(),
                data: BTreeMap::new(),
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
    fn a_session_that_is_handed_over_twice_is_shown_once() {
        let id = SessionId::generate();
        let rows = Rows::of(vec![
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
