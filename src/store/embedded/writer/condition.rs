//! The condition of the writer's thread, asked before a caller waits for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::session::StoreError;

/// A batch that takes longer than this does not come back by itself: the volume hangs.
const HANG_THRESHOLD: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Condition(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_full: bool,
    failure: Option<String>,
    batch_since: Option<Instant>,
}

impl Condition {
    pub(crate) fn is_full(&self) -> bool {
        self.lock().is_full
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// Why nothing can be written before the file is opened again.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    pub(crate) fn set_failure(&self, failure: Option<String>) {
        self.lock().failure = failure;
    }

    pub(crate) fn begin_batch(&self) {
        self.lock().batch_since = Some(Instant::now());
    }

    pub(crate) fn end_batch(&self) {
        self.lock().batch_since = None;
    }

    /// Fails if a change would not be on disk soon.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let state = self.lock();
        if let Some(failure) = &state.failure {
            return Err(StoreError::Failed(failure.clone()));
        }
        match state.batch_since.map(|since| since.elapsed()) {
            Some(taken) if taken > HANG_THRESHOLD => Err(StoreError::Timeout(taken)),
            _ => Ok(()),
        }
    }

    // Nothing that panics is done while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
