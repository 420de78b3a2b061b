//! The store that a clause tries, and what clauses do with it.

use std::any::Any;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;

use super::setup::{Opened, Setup, Time};
use crate::client::Client;
use crate::clock::{Clock, from_unix_time, unix_time};
use crate::session::{
    ActiveSession, Created, EndReason, EndedSession, Lifetimes, NewSession, Session, SessionHandle,
    SessionId, SessionStore, StoreError,
};

pub(super) type Outcome = Result<(), Reason>;

/// What the store did, as a sentence.
pub(super) struct Reason(pub(super) String);

impl From<StoreError> for Reason {
    fn from(error: StoreError) -> Self {
        Self(format!("a call failed that had to succeed: {error}"))
    }
}

impl From<JoinError> for Reason {
    fn from(error: JoinError) -> Self {
        Self(format!("a call did not return: {error}"))
    }
}

/// Ends the clause with a sentence unless something holds.
macro_rules! ensure {
    ($holds:expr, $($sentence:tt)+) => {
        if !$holds {
            return Err($crate::testing::contract::subject::Reason(format!($($sentence)+)));
        }
    };
}

/// As [`ensure!`], and shows both values.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($sentence:tt)+) => {
        match ($found, $expected) {
            (found, expected) => ensure!(
                found == expected,
                "{} (it is {found:?}, and should be {expected:?})",
                format_args!($($sentence)+)
            ),
        }
    };
}

pub(super) use {ensure, ensure_eq};

pub(super) type Open = dyn Fn(Setup) -> Pin<Box<dyn Future<Output = Opened> + Send>> + Send + Sync;

/// Opens stores for a clause.
pub(super) struct Opener {
    pub(super) open: Arc<Open>,
    pub(super) time: Time,
}

/// Fifteen minutes and twelve hours: nothing ends while a clause runs that does not let time pass.
pub(super) const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::from_secs(900),
    absolute: Some(Duration::from_secs(43_200)),
};

impl Opener {
    pub(super) async fn open(&self, lifetimes: Lifetimes) -> Subject {
        self.open_with(lifetimes, false).await
    }

    /// For a clause that calls the methods for an operator.
    pub(super) async fn open_for_operator(&self) -> Subject {
        self.open_with(LIFETIMES, true).await
    }

    /// A store whose sessions expire after `seconds` where the clause has to wait for that, else after fifteen minutes.
    pub(super) async fn open_to_wait(&self, seconds: u64) -> (Subject, Duration) {
        let idle = match self.time {
            Time::Given => LIFETIMES.idle,
            Time::Own => Duration::from_secs(seconds),
        };
        let lifetimes = Lifetimes { idle, ..LIFETIMES };
        (self.open(lifetimes).await, idle)
    }

    /// A store in which the user `a` has just signed in.
    pub(super) async fn open_with_one(&self) -> Result<(Subject, SessionId), Reason> {
        let subject = self.open(LIFETIMES).await;
        let id = subject.sign_in("a").await?;
        Ok((subject, id))
    }

    async fn open_with(&self, lifetimes: Lifetimes, for_operator: bool) -> Subject {
        let clock = Clock::start();
        let setup = Setup {
            lifetimes,
            clock: clock.clone(),
            for_operator,
        };
        let Opened { store, guard } = (self.open)(setup).await;
        Subject {
            store,
            clock,
            time: self.time,
            _guard: guard,
        }
    }
}

pub(super) struct Subject {
    // Dropped before the guard.
    pub(super) store: Arc<dyn SessionStore>,
    clock: Clock,
    time: Time,
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Subject {
    /// Lets time pass for the store.
    pub(super) async fn pass(&self, time: Duration) {
        match self.time {
            Time::Given => self.clock.advance(time),
            Time::Own => sleep(time).await,
        }
    }

    /// A moment in the past, to the second.
    pub(super) fn ago(&self, seconds: u64) -> SystemTime {
        from_unix_time(
            unix_time(self.clock.now())
                .as_secs()
                .saturating_sub(seconds),
        )
    }

    pub(super) fn session_of(&self, user: &str) -> Session {
        self.session_since(user, 0)
    }

    /// A session whose user signed in so many seconds ago.
    pub(super) fn session_since(&self, user: &str, seconds_ago: u64) -> Session {
        Session {
            user: user.to_owned(),
            status: "active".to_owned(),
            data: BTreeMap::from([("theme".to_owned(), "d\u{e4}mmerung".to_owned())]),
            own: BTreeMap::from([("_proved".to_owned(), "1764512345".to_owned())]),
            created_at: Some(self.ago(seconds_ago)),
            client: Client {
                ip: Some("127.0.0.1".to_owned()),
                user_agent: Some("curl/8".to_owned()),
            },
        }
    }

    pub(super) fn why(&self, reason: EndReason) -> EndedSession {
        let by = Client {
            ip: None,
            user_agent: Some("curl/8".to_owned()),
        };
        EndedSession::new(reason, self.clock.now(), &by)
    }

    pub(super) async fn sign_in(&self, user: &str) -> Result<SessionId, StoreError> {
        let id = SessionId::generate();
        self.create(&id, &self.session_of(user), None, 100).await?;
        Ok(id)
    }

    pub(super) async fn create(
        &self,
        id: &SessionId,
        session: &Session,
        replaced: Option<&SessionId>,
        limit: usize,
    ) -> Result<Created, StoreError> {
        let again = self.why(EndReason::Replaced);
        let new = NewSession {
            id,
            session,
            replaced: replaced.map(|id| (id, &again)),
            limit,
            over_limit: &self.why(EndReason::OverLimit),
        };
        self.store.create(&new).await
    }

    /// As [`create`](Self::create), while others do the same.
    pub(super) fn spawn_create(
        &self,
        id: SessionId,
        user: &str,
        limit: usize,
    ) -> JoinHandle<Result<Created, StoreError>> {
        let store = Arc::clone(&self.store);
        let session = self.session_of(user);
        let over_limit = self.why(EndReason::OverLimit);
        tokio::spawn(async move {
            let new = NewSession {
                id: &id,
                session: &session,
                replaced: None,
                limit,
                over_limit: &over_limit,
            };
            store.create(&new).await
        })
    }

    pub(super) async fn sign_out(&self, id: &SessionId) -> Result<Option<String>, StoreError> {
        self.store.delete(id, &self.why(EndReason::SignedOut)).await
    }

    pub(super) async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.store.touch(id).await
    }

    pub(super) async fn is_alive(&self, id: &SessionId) -> Result<bool, StoreError> {
        Ok(self.touch(id).await?.is_some())
    }

    /// The application's fields of a session that must be alive.
    pub(super) async fn data(&self, id: &SessionId) -> Result<BTreeMap<String, String>, Reason> {
        Ok(self.session(id).await?.data)
    }

    /// A session that must be alive.
    pub(super) async fn session(&self, id: &SessionId) -> Result<Session, Reason> {
        let found = self.touch(id).await?;
        let active =
            found.ok_or_else(|| Reason("`touch` does not find a live session".to_owned()))?;
        Ok(active.session)
    }

    /// The handles of a user's sessions, in order.
    pub(super) async fn listed(&self, user: &str) -> Result<Vec<SessionHandle>, Reason> {
        let listing = self.store.list(user, None).await?;
        ensure!(
            listing.complete,
            "`list` says that its list is not complete, and no part of the store is away"
        );
        let mut handles: Vec<_> = listing
            .sessions
            .into_iter()
            .map(|(handle, _)| handle)
            .collect();
        handles.sort();
        Ok(handles)
    }
}

/// In order.
pub(super) fn handles(ids: impl IntoIterator<Item = impl Borrow<SessionId>>) -> Vec<SessionHandle> {
    let mut handles: Vec<_> = ids
        .into_iter()
        .map(|id| SessionHandle::from(id.borrow()))
        .collect();
    handles.sort();
    handles
}
