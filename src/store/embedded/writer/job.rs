//! A change that waits for the writer's thread.

use std::time::SystemTime;

use tokio::sync::oneshot;

use crate::session::StoreError;
use crate::store::embedded::changes::Tables;

/// Answers once the change is on disk, or cannot be made.
pub(crate) type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

/// What a change does to the size of the file; it decides what goes on when the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It may need more room than there was.
    Grows,
    /// It leaves no more in the file than there was.
    Shrinks,
    /// The same, and it may change far more of the file than one session's pages.
    ShrinksMuch,
    /// It changes nothing but that the pending expiries are written at once.
    Flushes,
}

/// A closure and who waits for its answer, of whose type the thread knows nothing.
pub(crate) struct Job {
    pub(crate) effect: Effect,
    asked_at: SystemTime,
    change: Box<dyn Change>,
}

trait Change: Send {
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError>;
    fn is_awaited(&self) -> bool;
    fn succeed(self: Box<Self>);
    fn fail(self: Box<Self>, reason: &str);
}

struct TypedChange<F, T> {
    apply: F,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl Job {
    /// `asked_at`: by the asker's clock, because on the writer's thread a test's paused clock goes on.
    pub(crate) fn new<T, F>(effect: Effect, asked_at: SystemTime, apply: F) -> (Self, Answer<T>)
    where
        T: Send + 'static,
        F: Fn(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let change = Box::new(TypedChange {
            apply,
            outcome: None,
            answer,
        });
        let job = Self {
            effect,
            asked_at,
            change,
        };
        (job, receiver)
    }

    /// Whether nobody wants the change any more: whoever gave up signing in has no cookie for the session, which would
    /// only end others of his. Whoever gave up signing out still wants to be out.
    pub(crate) fn is_pointless(&self) -> bool {
        self.effect == Effect::Grows && !self.change.is_awaited()
    }

    /// Makes the change; after a commit that failed it may be made once more. An error is one that the whole transaction
    /// has: a record that cannot be read is this change's own trouble, and the others' changes are good.
    pub(crate) fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        tables.now = self.asked_at;
        self.change.apply(tables)
    }

    /// Gives the answer; to be called after the commit.
    pub(crate) fn succeed(self) {
        self.change.succeed();
    }

    pub(crate) fn fail(self, reason: &str) {
        self.change.fail(reason);
    }
}

impl<T, F> Change for TypedChange<F, T>
where
    T: Send,
    F: Fn(&mut Tables<'_>) -> Result<T, StoreError> + Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        let outcome = match (self.apply)(tables) {
            Err(error @ StoreError::Unreadable(_)) => Err(error),
            outcome => Ok(outcome?),
        };
        self.outcome = Some(outcome);
        Ok(())
    }

    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn succeed(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // An error says that the request was given up.
            drop(self.answer.send(outcome));
        }
    }

    fn fail(self: Box<Self>, reason: &str) {
        drop(self.answer.send(Err(StoreError::Failed(reason.to_owned()))));
    }
}
