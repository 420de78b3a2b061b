//! The contract of a place where sessions live.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{Session, SessionId};

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
/// 3. What was acknowledged is kept: a session that `create` returned `Ok` for survives a crash of the
///    process as far as the store is persistent at all, and so does a deletion.
///
/// Every method may be called from any task at any time, and a call that is dropped half-way leaves the store
/// whole: the step was done or it was not.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Writes a new session, and ends `replaced` if that is given and alive.
    ///
    /// The new session lives for the idle timeout, or until its absolute limit if that comes first.
    /// If the call fails the caller must not hand out `id`; `replaced` may or may not have ended.
    ///
    /// # Errors
    ///
    /// The store could not do it, or did not say in time.
    async fn create(
        &self,
        id: &SessionId,
        session: &Session,
        replaced: Option<&SessionId>,
    ) -> Result<(), StoreError>;

    /// Reads a live session and slides its end: it lives on for the idle timeout from this moment, or until
    /// its absolute limit if that comes first.
    ///
    /// `None`: no such session, or its time has come. Never makes or changes a record, only its expiry.
    ///
    /// # Errors
    ///
    /// The store could not do both, or did not say in time.
    async fn touch(&self, id: &SessionId) -> Result<Option<Session>, StoreError>;

    /// Ends a session. When this returns `Ok`, no later call on any instance finds it.
    ///
    /// An unknown id is fine: the session that it names is over.
    ///
    /// # Errors
    ///
    /// The store could not do it, or did not say in time: the session may be alive.
    async fn delete(&self, id: &SessionId) -> Result<(), StoreError>;

    /// Writes what is still only in memory; called once, at shutdown. A store that holds nothing back does nothing.
    async fn close(&self) {}
}

/// Why a store could not do its work. Written for the operator, and never names an id or a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The whole time that a request may spend on the store went by.
    #[error("the session store did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The store answered with a failure, or could not be reached.
    #[error("the session store failed: {0}")]
    Failed(String),
    /// A record is there and cannot be read as a session.
    #[error("a session's record cannot be read")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
}
