//! The life cycle of sessions: start, resume, list, end.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{
    ActiveSession, Created, EndOutcome, EndReason, EndedSession, FieldError, HandlePrefix,
    Lifetimes, Listing, NewSession, Selection, Session, SessionHandle, SessionId, SessionStore,
    StoreError, StoreStats, WriteOutcome, field,
};
use crate::client::Client;
use crate::clock::{Clock, unix_time};
use crate::user_name::UserName;

/// Starts, resumes, lists and ends sessions. Cheap to clone; clones share the store.
///
/// Every method that is `async` fails only where the store could not do its work, or did not answer in time.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Arc<dyn SessionStore>,
    lifetimes: Lifetimes,
    max_sessions_per_user: usize,
    clock: Clock,
    timeout: Option<Duration>,
    /// The request's; without it each call has the whole timeout.
    deadline: Option<Instant>,
}

/// A new session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Started {
    /// Its id, for the user's browser alone.
    pub id: SessionId,
    /// The sessions that it ended.
    pub created: Created,
}

/// One of a user's live sessions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedSession {
    /// Its public name.
    pub handle: SessionHandle,
    /// The stored data.
    pub session: Session,
    /// When it was last used.
    ///
    /// Derived from the time that is left. Once the absolute limit comes first, a use does not move `expires_at`, so
    /// the true time may be later.
    pub last_active_at: SystemTime,
    /// When it ends if it is not used again.
    pub expires_at: SystemTime,
}

impl ListedSession {
    fn new(handle: SessionHandle, active: ActiveSession, idle: Duration) -> Self {
        let ActiveSession {
            session,
            expires_at,
            expires_in,
            ..
        } = active;
        let now = expires_at - expires_in;
        let last_active_at = now - idle.saturating_sub(expires_in);
        Self {
            handle,
            last_active_at: last_active_at.max(session.created_at.unwrap_or(last_active_at)),
            session,
            expires_at,
        }
    }
}

impl Sessions {
    /// Binds a store to the lifetimes and the clock that it was opened with.
    ///
    /// `max_sessions_per_user`: a sign-in beyond this number of live sessions ends the user's oldest.
    /// `timeout`: how long a request waits for the store; `None` for a store in memory, which waits for nothing.
    #[must_use]
    pub fn new(
        store: Arc<dyn SessionStore>,
        lifetimes: Lifetimes,
        max_sessions_per_user: usize,
        timeout: Option<Duration>,
        clock: Clock,
    ) -> Self {
        Self {
            store,
            lifetimes,
            max_sessions_per_user,
            clock,
            timeout,
            deadline: None,
        }
    }

    /// A clone for one request, which begins now: all its calls together have the timeout, instead of each.
    ///
    /// The calls for an operator, which look at every session in the store, have no deadline.
    #[must_use]
    pub fn with_deadline(&self) -> Self {
        Self {
            deadline: self.timeout.map(|timeout| Instant::now() + timeout),
            ..self.clone()
        }
    }

    /// Bounds a call of the store that keeps the sessions, also for what else is kept there.
    pub(crate) async fn until_deadline<T, E: From<StoreError>>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let Some(timeout) = self.timeout else {
            return call.await;
        };
        let deadline = self.deadline.unwrap_or_else(|| Instant::now() + timeout);
        let outcome = timeout_at(deadline, call).await;
        outcome.unwrap_or_else(|_| Err(StoreError::Timeout(timeout).into()))
    }

    /// Starts a session for `user` under a new id, and ends the session that the request came with.
    ///
    /// Always a new id: an id that was known before the sign-in must not be worth anything after it
    /// (OWASP, session fixation).
    ///
    /// # Errors
    ///
    /// The user is not signed in. (A session may have been stored, whose id is lost; it expires.)
    pub async fn start(
        &self,
        user: &UserName,
        client: Client,
        replaced: Option<&SessionId>,
    ) -> Result<Started, StoreError> {
        self.start_with(user, client, BTreeMap::new(), replaced)
            .await
    }

    /// The same with the application's data of the session that the new one takes the place of.
    pub(crate) async fn start_with(
        &self,
        user: &UserName,
        client: Client,
        data: BTreeMap<String, String>,
        replaced: Option<&SessionId>,
    ) -> Result<Started, StoreError> {
        let id = SessionId::generate();
        let now = self.clock.now();
        let again = EndedSession::new(EndReason::Replaced, now, &client);
        let over_limit = EndedSession::new(EndReason::OverLimit, now, &client);
        let session = Session {
            data,
            ..Session::new(user.as_str(), client, now)
        };
        let new = NewSession {
            id: &id,
            session: &session,
            replaced: replaced.map(|id| (id, &again)),
            limit: self.max_sessions_per_user,
            over_limit: &over_limit,
        };
        let created = self.until_deadline(self.store.create(&new)).await?;
        Ok(Started { id, created })
    }

    /// Finds a live session and slides its end; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The session may well be alive.
    pub async fn resume(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.until_deadline(self.store.touch(id)).await
    }

    /// Finds a live session and leaves its end where it is; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The session may well be alive.
    pub async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.until_deadline(self.store.peek(id)).await
    }

    /// All live sessions of a user, the last used first. Slides none.
    ///
    /// `reader`: the user's session that reads the list, if one does; it is put back if the list has lost it.
    ///
    /// # Errors
    ///
    /// There may be sessions.
    pub async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<ListedSession>, StoreError> {
        let Listing { sessions, complete } =
            self.until_deadline(self.store.list(user, reader)).await?;
        Ok(Listing {
            sessions: self.last_used_first(sessions),
            complete,
        })
    }

    /// Puts sessions back that these users' lists have lost; slow where there are many sessions: see
    /// [`SessionStore::restore_lists`].
    ///
    /// # Errors
    ///
    /// The lists may lack sessions.
    pub async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        self.store.restore_lists(users).await
    }

    fn last_used_first(&self, active: Vec<(SessionHandle, ActiveSession)>) -> Vec<ListedSession> {
        let mut listed: Vec<_> = active
            .into_iter()
            .map(|(handle, active)| ListedSession::new(handle, active, self.lifetimes.idle))
            .collect();
        listed.sort_by_key(|listed| Reverse(listed.last_active_at));
        listed
    }

    /// Passes every live session to `found`, in any order, for an operator: see [`SessionStore::list_all`].
    ///
    /// # Errors
    ///
    /// `found` has not seen all of them.
    pub async fn list_all(
        &self,
        found: &mut (dyn FnMut(ListedSession) + Send),
    ) -> Result<(), StoreError> {
        let idle = self.lifetimes.idle;
        let mut listed = |handle, active| found(ListedSession::new(handle, active, idle));
        self.store.list_all(&mut listed).await
    }

    /// The live sessions whose handle begins with `prefix`, the last used first, for an operator: see
    /// [`SessionStore::find`].
    ///
    /// # Errors
    ///
    /// There may be sessions.
    pub async fn find(&self, prefix: HandlePrefix) -> Result<Vec<ListedSession>, StoreError> {
        let active = self.store.find(prefix).await?;
        Ok(self.last_used_first(active))
    }

    /// Ends a session as its user signs out, and returns the user; `None`: it was over already, which is no error.
    ///
    /// # Errors
    ///
    /// The user is still signed in.
    pub async fn end(&self, id: &SessionId, by: &Client) -> Result<Option<String>, StoreError> {
        let why = EndedSession::new(EndReason::SignedOut, self.clock.now(), by);
        self.until_deadline(self.store.delete(id, &why)).await
    }

    /// Ends some of a user's sessions, and returns those that were alive.
    ///
    /// The handle of another user's session selects none.
    /// `by` is the client that asked for it; an operator has none.
    ///
    /// # Errors
    ///
    /// None, some or all of them have ended.
    pub async fn end_of_user(
        &self,
        user: &str,
        selection: Selection,
        reason: EndReason,
        by: &Client,
    ) -> Result<EndOutcome, StoreError> {
        let mut why = EndedSession::new(reason, self.clock.now(), by);
        if reason.is_by_operator() {
            why = why.with_user(user);
        }
        self.until_deadline(self.store.delete_of_user(user, selection, &why))
            .await
    }

    /// Ends the session with this handle, for an operator, and returns its user; `None` if there is none.
    ///
    /// Slow where there are many sessions: see [`SessionStore::delete_by_handle`].
    ///
    /// # Errors
    ///
    /// The session may be alive.
    pub async fn end_by_handle(&self, handle: SessionHandle) -> Result<Option<String>, StoreError> {
        let why = self.ended_by_operator();
        self.store.delete_by_handle(handle, &why).await
    }

    /// Ends every live session, for an operator, and returns those that it ended.
    ///
    /// # Errors
    ///
    /// None, some or all of them have ended.
    pub async fn end_all(&self) -> Result<EndOutcome, StoreError> {
        let why = self.ended_by_operator();
        self.store.delete_all(&why).await
    }

    fn ended_by_operator(&self) -> EndedSession {
        EndedSession::new(EndReason::ByOperator, self.clock.now(), &Client::default())
    }

    /// Why a session was ended, and how long ago; `None` if it expired, or was ended longer than the idle timeout ago.
    ///
    /// # Errors
    ///
    /// There may be a reason.
    pub async fn ended(
        &self,
        id: &SessionId,
    ) -> Result<Option<(EndedSession, Duration)>, StoreError> {
        let now = unix_time(self.clock.now());
        let ended = self.until_deadline(self.store.ended(id)).await?;
        Ok(ended.map(|ended| {
            let ago = now.saturating_sub(Duration::from_secs(ended.at));
            (ended, ago)
        }))
    }

    /// Writes (or with `None` removes) one field of the application's, and returns its text.
    pub(crate) async fn write<T: Serialize>(
        &self,
        id: &SessionId,
        name: &str,
        value: Option<&T>,
    ) -> Result<Option<String>, FieldError> {
        field::check_name(name)?;
        let text = value.map(|value| field::to_text(name, value)).transpose()?;
        let write = self
            .store
            .write(id, name, text.as_deref(), field::MAX_FIELDS);
        match self.until_deadline(write).await? {
            WriteOutcome::Written => Ok(text),
            WriteOutcome::NoSession => Err(FieldError::Ended),
            WriteOutcome::TooManyFields => Err(FieldError::TooMany),
        }
    }

    /// Writes (or with `None` removes) one of Innkeeper's own fields, whose name begins with `_`.
    pub(crate) async fn write_own(
        &self,
        id: &SessionId,
        name: &str,
        value: Option<&str>,
    ) -> Result<WriteOutcome, StoreError> {
        debug_assert!(field::is_own(name), "an application's field");
        let write = self.store.write(id, name, value, field::MAX_FIELDS);
        self.until_deadline(write).await
    }

    /// Writes one of Innkeeper's own fields into each of a user's sessions but this one, as far as that is possible, and
    /// returns how many have it.
    pub(crate) async fn write_others(
        &self,
        user: &str,
        except: &SessionId,
        name: &str,
        value: &str,
    ) -> Result<usize, StoreError> {
        let write = self.store.write_others(user, except, name, value);
        self.until_deadline(write).await
    }

    /// The clock that they are measured by, which a test moves ahead.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How long sessions live.
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    /// Checks that the store can be used at this moment.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.until_deadline(self.store.check()).await
    }

    /// Whether the store has no room for new sessions, while everything else works.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.store.is_full()
    }

    /// Whether the store can never work again in this process.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.store.is_lost()
    }

    /// Statistics of the store, for the metrics.
    pub async fn stats(&self) -> StoreStats {
        self.store.stats().await
    }

    /// Lets the store write its last changes, at shutdown: see [`SessionStore::close`].
    pub async fn close(&self) {
        self.store.close().await;
    }
}
