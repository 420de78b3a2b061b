//! Why a session is over.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::clock::unix_time;

/// Why a session was ended, when, and from where.
///
/// Kept for the idle timeout, and shown only to a client that presents the ended session's id. A session that expired
/// leaves none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndedSession {
    /// The reason.
    pub reason: EndReason,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The `User-Agent` of the client that ended it.
    #[serde(rename = "agent", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The session's user, if an operator ended it: the command line has no log, so the server logs the end when the
    /// ended id is presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The reason why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// Its user signed out.
    SignedOut,
    /// Its user ended it in the list of sessions.
    Ended,
    /// A new sign-in in the same browser replaced it.
    #[serde(rename = "signed_in_again")]
    Replaced,
    /// The user signed in once more than `max_sessions_per_user` allows, and this was the oldest.
    #[serde(rename = "too_many")]
    OverLimit,
    /// An operator ended it, by `innkeeper sessions end`.
    ByOperator,
    /// Its user's password was changed.
    PasswordChanged,
    /// An operator disabled its user's account.
    #[serde(rename = "account_disabled")]
    Disabled,
    /// An operator removed its user's account.
    #[serde(rename = "account_removed")]
    Removed,
}

impl EndReason {
    /// The reasons that the server counts; an operator's command is a process of its own.
    pub(crate) const COUNTED: [Self; 5] = [
        Self::SignedOut,
        Self::Ended,
        Self::Replaced,
        Self::OverLimit,
        Self::PasswordChanged,
    ];

    /// Whether an operator ended it, whose command has no log.
    pub(crate) fn is_by_operator(self) -> bool {
        matches!(self, Self::ByOperator | Self::Disabled | Self::Removed)
    }

    /// Its name, as it is stored and counted.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Ended => "ended",
            Self::Replaced => "signed_in_again",
            Self::OverLimit => "too_many",
            Self::ByOperator => "by_operator",
            Self::PasswordChanged => "password_changed",
            Self::Disabled => "account_disabled",
            Self::Removed => "account_removed",
        }
    }
}

impl EndedSession {
    /// For an end at `now`, asked for by the client `by`; without a user.
    #[must_use]
    pub fn new(reason: EndReason, now: SystemTime, by: &Client) -> Self {
        Self {
            reason,
            at: unix_time(now).as_secs(),
            user_agent: by.user_agent.clone(),
            user: None,
        }
    }

    /// The same, with the session's user.
    pub(crate) fn with_user(&self, user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            ..self.clone()
        }
    }
}
