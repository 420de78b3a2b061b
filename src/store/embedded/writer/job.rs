//! A change that waits for the writer's thread.

use std::time::SystemTime;

use tokio::sync::oneshot;

use crate::session::StoreError;
use crate::store::embedded::changes::Tables;

/// How a change affects the size of the file: on a full disk only those that do not grow it are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It may need more room than there was.
    Grows,
    /// It leaves no more in the file than there was.
    Shrinks,
    /// As `Shrinks`, and it may change far more of the file than one session's pages.
    ShrinksMuch,
    /// It changes nothing but that the pending expiries are written at once.
    Flushes,
}

type Change = dyn Fn(&mut Tables<'_>) -> Result<(), StoreError> + Send;

pub(crate) struct Job {
    pub(crate) effect: Effect,
    /// By the caller's clock, because on the writer's thread a test's paused clock goes on.
    pub(crate) asked_at: SystemTime,
    /// Called once more, if the first commit failed.
    pub(crate) change: Box<Change>,
    /// Receives the outcome, once the change is on disk or has failed.
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

impl Job {
    /// Whether the change is not wanted any more: a client that gave up signing in has no cookie for the session, which
    /// would only end others of that user. One that gave up signing out still wants to be out.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.effect == Effect::Grows && self.done.is_closed()
    }

    pub(crate) fn apply(&self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        tables.now = self.asked_at;
        (self.change)(tables)
    }
}
