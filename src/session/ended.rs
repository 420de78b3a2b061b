//! Why a session is over.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::clock::unix_time;

/// Why somebody ended a session, when, and from where.
///
/// Kept for the idle timeout beside the session's name, for whoever presents the ended id and for nobody else.
/// A session that just ran out of time leaves none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// What was done.
    pub reason: EndReason,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The `User-Agent` of whoever did it.
    #[serde(rename = "agent", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whose session it was, where an operator ended it: his command has no log, so the server tells of it when the ended
    /// id is presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its own visitor signed out.
    SignedOut,
    /// The same user ended it, from this session or another.
    Ended,
    /// Somebody signed in anew in the same browser.
    #[serde(rename = "signed_in_again")]
    Replaced,
    /// The user signed in once more than `max_sessions_per_user` allows, and this was the oldest.
    #[serde(rename = "too_many")]
    OverLimit,
    /// An operator ended it, by the program's own command.
    ByOperator,
}

impl EndReason {
    /// The reasons for which the process that serves ends sessions; operators have a process of their own.
    pub(crate) const OF_THE_SERVER: [Self; 4] = [
        Self::SignedOut,
        Self::Ended,
        Self::Replaced,
        Self::OverLimit,
    ];

    /// Its name, as it is stored and counted.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Ended => "ended",
            Self::Replaced => "signed_in_again",
            Self::OverLimit => "too_many",
            Self::ByOperator => "by_operator",
        }
    }
}

impl EndedSession {
    pub(crate) fn new(reason: EndReason, now: SystemTime, by: &Client) -> Self {
        Self {
            reason,
            at: unix_time(now).as_secs(),
            user_agent: by.user_agent.clone(),
            user: None,
        }
    }

    /// The same with the name of the user whose session it was.
    pub(crate) fn of(&self, user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            ..self.clone()
        }
    }
}
