//! The contract of a place where sessions live.

use std::fmt;

use async_trait::async_trait;

use super::{
    ActiveSession, EndedSession, HandlePrefix, Session, SessionHandle, SessionId, StoreError,
};

/// Where sessions live.
///
/// Three outcomes are kept apart everywhere: a live session, no session (`Ok(None)`), and a store that
/// could not do its work (`Err`). Nobody is taken for signed in or out because a store failed.
///
/// A store knows the [`Lifetimes`](super::Lifetimes) and tests them on every read: a session whose time has
/// come is not found, whether or not its record has been removed yet. Under any interleaving of calls, from
/// any number of processes where the store is shared:
///
/// 1. No record is without an end: it is written together with its expiry, in one atomic step.
/// 2. A deleted session never comes back. Only [`create`](Self::create) makes a record.
/// 3. A session is in its user's list if and only if it is alive. (One that another program began is listed from
///    the first touch on; one that a list has lost, by a failover or a changed setting, soon after its next touch.)
/// 4. Two writes to different fields of a session both last.
/// 5. What was acknowledged is kept: a session that `create` returned `Ok` for survives a crash of the
///    process as far as the store is persistent at all, and so does a deletion.
///
/// Every method may be called from any task at any time, and a call that is dropped half-way leaves the store
/// whole: the step was done or it was not. Every method fails where the store could not do its work, or did not
/// say in time.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Writes a new session, ends the one that it replaces, and ends the user's oldest beyond the most allowed.
    ///
    /// The new session lives for the idle timeout, or until its absolute limit if that comes first.
    /// Returns what this call ended; a session that several calls end at once is one of them's.
    ///
    /// One of the oldest that lies where the store does not answer stays, and a later sign-in ends it: nobody is kept
    /// out for it.
    ///
    /// # Errors
    ///
    /// The caller must not hand out the id; what it replaces may or may not have ended.
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError>;

    /// Reads a live session and slides its end: it lives on for the idle timeout from this moment, or until
    /// its absolute limit if that comes first.
    ///
    /// `None`: no such session, or its time has come. Never makes a record, and changes only its expiry, or a
    /// beginning that lies in the future.
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
    /// `reader`: a session of the user that was found alive a moment ago; it is listed again if the list lost it.
    ///
    /// Where a part of the store does not answer, what the others know is returned, and that it is not all.
    ///
    /// # Errors
    ///
    /// There may be sessions.
    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError>;

    /// Puts those of these users' live sessions back into their lists that they have lost, by a look at all sessions that
    /// there are. It may take longer than the other calls. It is for an operator, not for requests.
    ///
    /// A store that loses none does nothing.
    ///
    /// # Errors
    ///
    /// The lists may lack sessions.
    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        let _ = users;
        Ok(())
    }

    /// Ends a session, and keeps why for the idle timeout. When this returns `Ok`, no later call on any instance
    /// finds it. An unknown id is fine: the session that it names is over.
    ///
    /// Returns whose live session this call ended; `None` if there was none, or another call ended it, or its record
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

    /// Ends those of a user's sessions that `selection` includes, like [`delete`](Self::delete), and says selection were alive.
    ///
    /// A session that is created while this runs may live on, and is then listed.
    ///
    /// Where a part of the store does not answer, those that lie elsewhere are ended all the same, and the outcome says
    /// why the rest may be alive. They stay in the list.
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

    /// Ends the session that has this handle, whoever's it is, like [`delete`](Self::delete), and says whose it was. What
    /// is kept of `why` names that user.
    ///
    /// `None`: no live session has it. This may mean a look at all sessions that there are, so it may take longer than
    /// the other calls, and one that is created meanwhile may be missed. It is for an operator, not for requests.
    ///
    /// # Errors
    ///
    /// The session may be alive.
    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError>;

    /// Hands over all live sessions that there are, whoever's they are, in any order, and slides none.
    ///
    /// Never holds more than a part of them in memory. One that is created or ends meanwhile may be missing, and a store
    /// may hand over the same one twice. Like [`delete_by_handle`](Self::delete_by_handle) it may take long, and is for an operator.
    ///
    /// # Errors
    ///
    /// What was handed over is not all.
    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError>;

    /// Reads the live sessions whose handle begins like this, in any order, and slides none.
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

    /// Ends all live sessions that there are, whoever's they are, like [`delete`](Self::delete), and says how many there
    /// were. What is kept of `why` names each one's user.
    ///
    /// One that is created meanwhile may live on. Like [`delete_by_handle`](Self::delete_by_handle) it may take long, and is for an
    /// operator.
    ///
    /// Where a part of the store does not answer, those that lie elsewhere are ended all the same, and the outcome says
    /// why the rest may be alive.
    ///
    /// # Errors
    ///
    /// None, some or all of them have ended.
    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError>;

    /// Why a session was ended; `None` if nobody ended it, or longer than the idle timeout ago.
    ///
    /// # Errors
    ///
    /// There may be a reason.
    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError>;

    /// Writes or removes (`None`) one of the application's fields, if the session is alive, in one atomic step.
    ///
    /// `limit` is the number of fields beyond which no new one is added.
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

    /// Asks whether sessions can be read at this moment; for readiness.
    ///
    /// # Errors
    ///
    /// They cannot.
    async fn check(&self) -> Result<(), StoreError>;

    /// Whether there is no room for new sessions at this moment, while those that there are can be used and ended.
    /// Must not ask anybody.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether the store can never work again in this process, so that only a restart helps. Must not ask anybody.
    fn is_lost(&self) -> bool {
        false
    }

    /// Tells how the store is. Asked for each scrape of the metrics, so it must be cheap; a store that has nothing to
    /// tell leaves it out.
    async fn stats(&self) -> StoreStats {
        StoreStats::default()
    }

    /// Writes what is still only in memory; called once, at shutdown, and returns in the time that a request may wait.
    /// A store that holds nothing back does nothing.
    async fn close(&self) {}
}

/// A session to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Its name, never used before.
    pub id: &'a SessionId,
    /// What is to be remembered.
    pub session: &'a Session,
    /// The session that ends with it, and why it does.
    pub replaced: Option<(&'a SessionId, &'a EndedSession)>,
    /// How many live sessions the user may have with this one.
    pub limit: usize,
    /// Why the oldest of them end.
    pub over_limit: &'a EndedSession,
}

/// What a new session ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// Whose session it replaced; `None` if none, or one that was over.
    pub replaced: Option<String>,
    /// Those of its user's oldest that made room for it.
    pub evicted: Vec<SessionHandle>,
}

/// What is known of a user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Listing<T> {
    /// Those that are known to be alive.
    pub sessions: Vec<T>,
    /// Whether there are no others; `false` where a part of the store did not answer.
    pub complete: bool,
}

/// What ending several sessions did.
#[derive(Debug, Default)]
#[must_use]
pub struct EndOutcome {
    /// Those that were alive and are over.
    pub ended: Vec<SessionHandle>,
    /// Why others may be alive; `None`: all are over.
    pub failure: Option<StoreError>,
}

impl EndOutcome {
    /// All of them are over.
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

/// What became of a write to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It is done.
    Written,
    /// The session is over, and nothing was written.
    NoSession,
    /// The session has as many fields as it may have, and nothing was written.
    TooManyFields,
}

/// What a store knows about itself at one moment, for the operator; `None` where it has no such thing, or cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// About how many sessions are alive. Those whose time has come may be counted until they are removed.
    pub active: Option<u64>,
    /// How far `active` may be from the truth, where it is an estimate.
    pub active_error: Option<u64>,
    /// Whether the store is taken for away, so that operations fail at once and do not try it.
    pub circuit_open: Option<bool>,
    /// Whether there is no room for new sessions, while those that there are can be used and ended.
    pub full: Option<bool>,
    /// The connections to its server.
    pub connections: Option<ConnectionCount>,
}

/// How many connections a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCount {
    /// Open at this moment.
    pub open: usize,
    /// The most that it opens.
    pub limit: usize,
}
