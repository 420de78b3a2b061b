//! What crosses the socket.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::accounts::{AccountReply, AccountRequest};
use super::as_text;
use crate::client::Client;
use crate::session::{
    ActiveSession, EndedSession, HandlePrefix, Selection, Session, SessionHandle, StoreError,
};

/// Raised by every change of what crosses the socket.
pub(super) const PROTOCOL: u32 = 1;

/// The most bytes of a line that the server reads: the longest name, or hash, many times over.
pub(super) const MAX_QUESTION_BYTES: u64 = 64 * 1024;

/// The most bytes of a line that the client reads.
pub(super) const MAX_REPLY_BYTES: u64 = 1024 * 1024;

/// Who speaks. Read in every version.
#[derive(Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The version of the program.
    pub(super) innkeeper: String,
    pub(super) protocol: u32,
}

impl Greeting {
    pub(super) fn ours() -> Self {
        Self {
            innkeeper: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
        }
    }

    /// Why the other side is not understood; `server` and `command` are the versions of the two.
    pub(super) fn mismatch(server: &Self, command: &Self) -> Option<String> {
        (server.protocol != command.protocol).then(|| {
            format!(
                "the running server is Innkeeper {}, and this command is Innkeeper {}: restart the server, or use the \
                 program that it was started from",
                server.innkeeper, command.innkeeper
            )
        })
    }
}

/// What the client asks.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    #[serde(flatten)]
    pub(super) greeting: Greeting,
    pub(super) request: &'a Request,
}

/// A [`Question`] as it is read, after its greeting.
#[derive(Deserialize)]
pub(super) struct Asked {
    pub(super) request: Request,
}

/// One call of a store's method.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Check,
    List {
        user: String,
    },
    ListAll,
    Find {
        #[serde(with = "as_text")]
        prefix: HandlePrefix,
    },
    RestoreLists {
        users: Vec<String>,
    },
    DeleteOfUser {
        user: String,
        #[serde(with = "SelectionOnWire")]
        selection: Selection,
        why: EndedSession,
    },
    DeleteByHandle {
        #[serde(with = "as_text")]
        handle: SessionHandle,
        why: EndedSession,
    },
    DeleteAll {
        why: EndedSession,
    },
    Account(AccountRequest),
}

/// One line of an answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Session(ListedSession),
    Ended(#[serde(with = "as_text")] SessionHandle),
    /// The user whose session was ended.
    User(String),
    /// A part of the store did not answer.
    Incomplete(Option<Failure>),
    Account(AccountReply),
    Done,
    Failed(Failure),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Selection", rename_all = "snake_case")]
enum SelectionOnWire {
    One(#[serde(with = "as_text")] SessionHandle),
    Others(#[serde(with = "as_text")] SessionHandle),
    All,
}

/// A session as an operator sees it: without the application's fields.
#[derive(Serialize, Deserialize)]
pub(super) struct ListedSession {
    #[serde(with = "as_text")]
    handle: SessionHandle,
    user: String,
    status: String,
    created_at: Option<SystemTime>,
    ip: Option<String>,
    user_agent: Option<String>,
    expires_at: SystemTime,
    expires_in: Duration,
    absolute_expires_in: Option<Duration>,
}

impl From<(SessionHandle, ActiveSession)> for ListedSession {
    fn from((handle, active): (SessionHandle, ActiveSession)) -> Self {
        let session = active.session;
        Self {
            handle,
            user: session.user,
            status: session.status,
            created_at: session.created_at,
            ip: session.client.ip,
            user_agent: session.client.user_agent,
            expires_at: active.expires_at,
            expires_in: active.expires_in,
            absolute_expires_in: active.absolute_expires_in,
        }
    }
}

impl From<ListedSession> for (SessionHandle, ActiveSession) {
    fn from(listed: ListedSession) -> Self {
        let client = Client {
            ip: listed.ip,
            user_agent: listed.user_agent,
        };
        let mut session = Session::new(listed.user, client, SystemTime::UNIX_EPOCH);
        session.status = listed.status;
        session.created_at = listed.created_at;
        let active = ActiveSession {
            session,
            expires_at: listed.expires_at,
            expires_in: listed.expires_in,
            absolute_expires_in: listed.absolute_expires_in,
        };
        (listed.handle, active)
    }
}

/// A [`StoreError`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Failure {
    Timeout(Duration),
    Unreachable(String),
    Failed(String),
    Unreadable(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Timeout(timeout) => Self::Timeout(timeout),
            StoreError::Unreachable(reason) => Self::Unreachable(reason),
            StoreError::Failed(reason) => Self::Failed(reason),
            StoreError::Unreadable(source) => Self::Unreadable(source.to_string()),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout(timeout) => Self::Timeout(timeout),
            Failure::Unreachable(reason) => Self::Unreachable(reason),
            Failure::Failed(reason) => Self::Failed(reason),
            Failure::Unreadable(source) => Self::Unreadable(source.into()),
        }
    }
}
