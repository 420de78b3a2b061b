//! The contract of a session store: the trait and its types.

use std::fmt;

use async_trait::async_trait;

use super::{
    ActiveSession, EndedSession, HandlePrefix, Session, SessionHandle, SessionId, StoreError,
};

/// A session store.
///
/// Three outcomes are kept apart everywhere: a live session, no session (`Ok(None)`), and a store that
/// could not do its work (`Err`). A user never appears signed in, or signed out, because a store failed.
///
/// A store knows the [`Lifetimes`](super::Lifetimes) and checks them on every read: an expired session is not found,
/// whether or not its record has been removed yet.
///
/// Under any interleaving of calls, from any number of processes where the store is shared:
///
/// 1. Every record expires: record and expiry are written in one atomic step.
/// 2. A deleted session never comes back. Only [`create`](Self::create) makes a record.
/// 3. A session is in its user's list if and only if it is alive. (A session that another program created is listed from
///    its first touch on; one that dropped out of the list, by a failover or a changed setting, soon after its next
///    touch.)
/// 4. Concurrent writes to different fields of a session do not overwrite each other.
/// 5. Acknowledged changes are kept: after `Ok`, a created or deleted session survives a crash of the process as far as
///    the store is persistent at all.
///
/// Every method may be called from any task at any time. A call whose future is dropped leaves the store consistent: the
/// step was done, or it was not. The methods that requests call need no timeout: [`Sessions`](super::Sessions) drops them
/// at the request's deadline. The methods for an operator ([`restore_lists`](Self::restore_lists),
/// [`delete_by_handle`](Self::delete_by_handle), [`list_all`](Self::list_all), [`find`](Self::find),
/// [`delete_all`](Self::delete_all)), [`stats`](Self::stats) and [`close`](Self::close) must end by themselves.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Writes a new session, ends the one that it replaces, and ends the user's oldest sessions beyond [`NewSession::limit`].
    ///
    /// The new session lives for the idle timeout, or until its absolute limit if that comes first.
    /// Returns the sessions that this call ended; where several calls end the same session at once, one of them returns it.
    ///
    /// An old session in a part of the store that does not answer is left for a later sign-in to end: this sign-in does
    /// not fail because of it.
    ///
    /// # Errors
    ///
    /// The caller must not hand out the id; the session that it replaces may or may not have ended.
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError>;

    /// Reads a live session and slides its end: it lives on for the idle timeout from this moment, or until
    /// its absolute limit if that comes first.
    ///
    /// `None`: there is no such session, or it has expired. Never creates a record; changes its expiry, and its time of
    /// creation if that lies in the future.
    ///
    /// # Errors
    ///
    /// The session may be alive.
    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError>;

    /// Reads a live session and leaves its end where it is.
    ///
    /// # Errors
    ///
    /// The session may be alive.
    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError>;

    /// Reads all live sessions of a user, in any order, and slides none.
    ///
    /// `reader`: a session of the user that was just found alive; it is put back if the list has lost it.
    ///
    /// If a part of the store does not answer, the sessions of the other parts are returned, with
    /// [`complete`](Listing::complete) `false`.
    ///
    /// # Errors
    ///
    /// There may be sessions.
    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError>;

    /// Puts sessions back that these users' lists have lost. It looks at every session in the store, so it may take long:
    /// it is for an operator, not for requests.
    ///
    /// Does nothing in a store whose lists lose nothing.
    ///
    /// # Errors
    ///
    /// The lists may lack sessions.
    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        let _ = users;
        Ok(())
    }

    /// Ends a session, and keeps `why` for the idle timeout. When this returns `Ok`, no later call on any instance
    /// finds it. An unknown id is no error: that session is over.
    ///
    /// Returns the user whose live session this call ended; `None` if there was none, or another call ended it, or its record
    /// could not be read.
    ///
    /// # Errors
    ///
    /// The session may be alive.
    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError>;

    /// Ends those of a user's sessions that `selection` includes, like [`delete`](Self::delete), and returns those that
    /// were alive.
    ///
    /// A session that is created meanwhile may live on, and is then listed.
    ///
    /// If a part of the store does not answer, the sessions of the other parts are ended all the same;
    /// [`EndOutcome::failure`] says why the rest, which stay listed, may be alive.
    ///
    /// # Errors
    ///
    /// None, some or all of them have ended.
    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError>;

    /// Ends the session with this handle, like [`delete`](Self::delete), and returns its user; the stored reason names
    /// the user, too.
    ///
    /// `None`: no live session has this handle. It may look at every session in the store, so it may take long and miss
    /// a session that is created meanwhile: it is for an operator, not for requests.
    ///
    /// # Errors
    ///
    /// The session may be alive.
    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError>;

    /// Passes every live session to `found`, in any order, and slides none.
    ///
    /// Never holds more than a part of them in memory. A session that is created or ends meanwhile may be missing, and
    /// one may be passed twice. Like [`delete_by_handle`](Self::delete_by_handle) it may take long, and is for an
    /// operator.
    ///
    /// # Errors
    ///
    /// `found` has not seen all of them.
    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError>;

    /// Reads the live sessions whose handle begins with `prefix`, in any order, and slides none.
    ///
    /// Like [`delete_by_handle`](Self::delete_by_handle) it may take long, and is for an operator.
    ///
    /// # Errors
    ///
    /// There may be sessions.
    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError>;

    /// Ends every live session, like [`delete`](Self::delete); each stored reason names the session's user.
    ///
    /// A session that is created meanwhile may live on. Like [`delete_by_handle`](Self::delete_by_handle) it may take
    /// long, and is for an operator.
    ///
    /// If a part of the store does not answer, the sessions of the other parts are ended all the same;
    /// [`EndOutcome::failure`] says why the rest may be alive.
    ///
    /// # Errors
    ///
    /// None, some or all of them have ended.
    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError>;

    /// Why a session was ended; `None` if it expired, or was ended longer than the idle timeout ago.
    ///
    /// # Errors
    ///
    /// It may have been ended.
    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError>;

    /// Writes or removes (`None`) a field, if the session is alive, in one atomic step.
    ///
    /// A name that begins with `_` is one of Innkeeper's own fields ([`Session::own`](super::Session::own)); any other is one
    /// of the application's, and `limit` is the number of those beyond which no new one is added.
    /// [`Session::write`](super::Session::write) does so to a session in memory.
    ///
    /// # Errors
    ///
    /// It may or may not have been written.
    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError>;

    /// Writes one of Innkeeper's own fields into each of a user's live sessions but this one, and returns how many have it.
    /// Makes none, and slides none. Best effort: a session that is created meanwhile, or is in a part of the store that does not
    /// answer, may lack it.
    ///
    /// It is by this that a user's other sessions are told of a new sign-in. Does nothing by default.
    ///
    /// # Errors
    ///
    /// None, some or all of them have it.
    async fn write_others(
        &self,
        user: &str,
        except: &SessionId,
        field: &str,
        value: &str,
    ) -> Result<usize, StoreError> {
        let _ = (user, except, field, value);
        Ok(0)
    }

    /// Checks that sessions can be read at this moment; for readiness.
    ///
    /// # Errors
    ///
    /// They cannot.
    async fn check(&self) -> Result<(), StoreError>;

    /// Whether there is no room for new sessions at this moment, while existing ones can be used and ended.
    /// Must answer from memory.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether the store can never work again in this process, so that only a restart helps. Must answer from
    /// memory.
    fn is_lost(&self) -> bool {
        false
    }

    /// Statistics for the metrics. Called for each scrape, so it must be cheap.
    async fn stats(&self) -> StoreStats {
        StoreStats::default()
    }

    /// Writes the changes that are still only in memory. Called once, at shutdown; returns within a request's timeout.
    async fn close(&self) {}
}

/// A session to be written.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewSession<'a> {
    /// Its id, never used before.
    pub id: &'a SessionId,
    /// Its data.
    pub session: &'a Session,
    /// The session that it replaces, and the reason that is stored for that; `None`: it replaces none.
    pub replaced: Option<(&'a SessionId, &'a EndedSession)>,
    /// How many live sessions the user may have, this one included.
    pub limit: usize,
    /// The reason that is stored for the sessions beyond `limit`.
    pub over_limit: &'a EndedSession,
}

impl<'a> NewSession<'a> {
    /// One that replaces none.
    #[must_use]
    pub fn new(
        id: &'a SessionId,
        session: &'a Session,
        limit: usize,
        over_limit: &'a EndedSession,
    ) -> Self {
        Self {
            id,
            session,
            replaced: None,
            limit,
            over_limit,
        }
    }
}

/// The sessions that a new session ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// The user of the session that it replaced; `None` if it replaced none, or that was over already.
    pub replaced: Option<String>,
    /// The user's oldest sessions, which were over the limit.
    pub evicted: Vec<SessionHandle>,
}

/// A user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Listing<T> {
    /// The sessions that were found alive.
    pub sessions: Vec<T>,
    /// Whether these are all; `false` if a part of the store did not answer.
    pub complete: bool,
}

impl<T> Listing<T> {
    /// All of the user's sessions.
    pub fn all(sessions: Vec<T>) -> Self {
        Self {
            sessions,
            complete: true,
        }
    }
}

/// The outcome of ending several sessions.
#[derive(Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct EndOutcome {
    /// The sessions that this call ended.
    pub ended: Vec<SessionHandle>,
    /// Why others may be alive; `None`: all of them are over.
    pub failure: Option<StoreError>,
}

impl EndOutcome {
    /// Every session that was to end has ended.
    pub fn all(ended: Vec<SessionHandle>) -> Self {
        Self {
            ended,
            failure: None,
        }
    }
}

/// Some of a user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// This one.
    One(SessionHandle),
    /// All but this one.
    Others(SessionHandle),
    /// All.
    All,
}

impl Selection {
    /// Whether a session is one of them.
    #[must_use]
    pub fn includes(self, handle: SessionHandle) -> bool {
        match self {
            Self::One(one) => handle == one,
            Self::Others(kept) => handle != kept,
            Self::All => true,
        }
    }
}

/// The outcome of writing a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The field was written or removed.
    Written,
    /// The session is over; nothing was written.
    NoSession,
    /// The session has as many fields as it may have; nothing was written.
    TooManyFields,
}

/// Statistics of a store, for the metrics; `None` where a store has no such figure, or does not know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// About how many sessions are alive. Expired ones may be counted until they are removed.
    pub active: Option<u64>,
    /// How far `active` may be off, where it is an estimate.
    pub active_error: Option<u64>,
    /// Whether the circuit breaker is open: calls fail at once, without trying the store.
    pub circuit_open: Option<bool>,
    /// Whether there is no room for new sessions, while existing ones can be used and ended.
    pub full: Option<bool>,
    /// The connections to its server.
    pub connections: Option<ConnectionCount>,
}

/// How many connections a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCount {
    /// Connections that are open.
    pub open: usize,
    /// The most connections that the store opens.
    pub limit: usize,
}

impl ConnectionCount {
    /// Of `limit` connections `open` are open.
    #[must_use]
    pub fn new(open: usize, limit: usize) -> Self {
        Self { open, limit }
    }
}
