//! How the writing thread is, for whoever asks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::session::StoreError;

/// A commit that takes longer than this does not come back by itself: the volume hangs.
const STUCK: Duration = Duration::from_secs(5);

/// What the writing thread says of itself.
#[derive(Debug, Default)]
pub(crate) struct Condition(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_full: bool,
    /// Why nothing can be written at all.
    failure: Option<String>,
    working_since: Option<Instant>,
}

impl Condition {
    /// Whether no session can be added, while those that are there can be used and ended.
    pub(crate) fn is_full(&self) -> bool {
        self.state().is_full
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    pub(crate) fn set_failure(&self, failure: Option<String>) {
        self.state().failure = failure;
    }

    pub(crate) fn begin_batch(&self) {
        self.state().working_since = Some(Instant::now());
    }

    pub(crate) fn end_batch(&self) {
        self.state().working_since = None;
    }

    /// Whether anything can be written.
    pub(crate) fn check_failure(&self) -> Result<(), StoreError> {
        match &self.state().failure {
            Some(failure) => Err(StoreError::Failed(failure.clone())),
            None => Ok(()),
        }
    }

    /// Whether what is committed now would be, and soon.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.check_failure()?;
        match self.state().working_since.map(|since| since.elapsed()) {
            Some(taken) if taken > STUCK => Err(StoreError::Timeout(taken)),
            _ => Ok(()),
        }
    }

    // Nothing that panics is done while the lock is held.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
