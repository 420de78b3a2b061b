//! A cache of the sessions that this process has seen: their users, and when they were last found listed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::session::SessionId;

/// How long after a session was found listed it is checked again.
const RECHECK_AFTER: Duration = Duration::from_secs(15);
/// The cache has two generations of this size: some ten megabytes in all.
const GENERATION_SIZE: usize = 50_000;
/// How many sessions are checked together at most, so that many new ones cost Redis a hundredth of its time. A session
/// that finds the queue full is checked when it is used again.
pub(crate) const BATCH_SIZE: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct KnownSessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    recent: HashMap<SessionId, Entry>,
    /// The generation before, which is dropped when `recent` is full.
    older: HashMap<SessionId, Entry>,
    /// Whether a generation was dropped, so that a session that is not here may have been here before.
    has_forgotten: bool,
    /// The sessions to be checked, with their users.
    queue: HashMap<SessionId, Arc<str>>,
    /// Whether a task is running that checks them.
    has_worker: bool,
}

#[derive(Debug)]
struct Entry {
    user: Arc<str>,
    /// When the session was last found in its user's list, or put there.
    listed_at: Option<Instant>,
}

pub(crate) struct KnownSession {
    pub(crate) user: Arc<str>,
    /// Whether it is time to check that it is listed.
    pub(crate) is_due: bool,
}

impl State {
    fn entry(&self, id: &SessionId) -> Option<&Entry> {
        self.recent.get(id).or_else(|| self.older.get(id))
    }

    fn insert(&mut self, id: &SessionId, entry: Entry) {
        // In its generation: a copy in each would halve the cache.
        let Self { recent, older, .. } = self;
        if let Some(known) = recent.get_mut(id).or_else(|| older.get_mut(id)) {
            *known = entry;
            return;
        }
        if self.recent.len() >= GENERATION_SIZE {
            self.has_forgotten |= !self.older.is_empty();
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(*id, entry);
    }
}

impl Entry {
    fn is_due(&self) -> bool {
        self.listed_at
            .is_none_or(|at| at.elapsed() >= RECHECK_AFTER)
    }
}

impl KnownSessions {
    // A panic while the lock was held cannot leave a map half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<KnownSession> {
        let state = self.state();
        let entry = state.entry(id)?;
        Some(KnownSession {
            user: Arc::clone(&entry.user),
            is_due: entry.is_due(),
        })
    }

    /// Remembers a session's user. Returns whether the session is certainly new to this process.
    pub(crate) fn remember(&self, id: &SessionId, user: &str) -> bool {
        let mut state = self.state();
        let is_new = state.entry(id).is_none();
        if is_new {
            let (user, listed_at) = (user.into(), None);
            state.insert(id, Entry { user, listed_at });
        }
        is_new && !state.has_forgotten
    }

    /// Notes that a session was found in its user's list, or put there.
    pub(crate) fn set_listed(&self, id: &SessionId, user: &str) {
        let (user, listed_at) = (user.into(), Some(Instant::now()));
        self.state().insert(id, Entry { user, listed_at });
    }

    /// Queues a session in use to be checked, if it is due. Returns whether the caller must start the worker.
    pub(crate) fn enqueue(&self, id: &SessionId, user: &str) -> bool {
        let mut state = self.state();
        let is_due = state.entry(id).is_none_or(Entry::is_due);
        if !is_due || state.queue.len() >= BATCH_SIZE {
            return false;
        }
        state.queue.insert(*id, user.into());
        !std::mem::replace(&mut state.has_worker, true)
    }

    /// Empties the queue. If it was empty, the worker must end, and the next [`enqueue`](Self::enqueue) asks for a new
    /// one.
    pub(crate) fn take_batch(&self) -> HashMap<SessionId, Arc<str>> {
        let mut state = self.state();
        state.has_worker = !state.queue.is_empty();
        std::mem::take(&mut state.queue)
    }

    /// The worker was dropped with its runtime, or panicked.
    pub(crate) fn worker_lost(&self) {
        let mut state = self.state();
        // A full queue takes no session, and so would never ask for a new worker.
        state.queue.clear();
        state.has_worker = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_looked_up_once_in_a_while() {
        let known = KnownSessions::default();
        let id = SessionId::generate();
        assert!(known.enqueue(&id, "a"));
        // The task has been started.
        assert!(!known.enqueue(&SessionId::generate(), "b"));
        assert_eq!(known.take_batch().len(), 2);
        known.set_listed(&id, "a");
        assert!(!known.enqueue(&id, "a"));
        assert!(known.take_batch().is_empty());
        assert!(!known.enqueue(&id, "a"));
        tokio::time::advance(RECHECK_AFTER / 2).await;
        assert!(!known.enqueue(&id, "a"));
        assert!(!known.get(&id).unwrap().is_due);
        tokio::time::advance(RECHECK_AFTER / 2).await;
        assert!(known.get(&id).unwrap().is_due);
        assert!(known.enqueue(&id, "a"));
    }

    #[test]
    fn a_lost_worker_is_replaced() {
        let known = KnownSessions::default();
        assert!(known.enqueue(&SessionId::generate(), "a"));
        assert!(!known.enqueue(&SessionId::generate(), "b"));
        known.worker_lost();
        for _ in 0..=BATCH_SIZE {
            known.enqueue(&SessionId::generate(), "c");
        }
        known.worker_lost();
        assert!(known.enqueue(&SessionId::generate(), "d"));
    }

    #[test]
    fn a_session_in_use_takes_one_place() {
        let known = KnownSessions::default();
        let ids: Vec<_> = (0..2 * GENERATION_SIZE)
            .map(|_| SessionId::generate())
            .collect();
        for id in ids.iter().chain(&ids) {
            known.remember(id, "a");
            known.set_listed(id, "a");
        }
        assert!(ids.iter().all(|id| known.get(id).is_some()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let known = KnownSessions::default();
        let first = SessionId::generate();
        assert!(known.remember(&first, "a"));
        assert!(!known.remember(&first, "a"));
        for _ in 0..3 * GENERATION_SIZE {
            known.set_listed(&SessionId::generate(), "a");
            known.enqueue(&SessionId::generate(), "a");
            known.remember(&SessionId::generate(), "a");
        }
        assert!(known.get(&first).is_none());
        assert!(!known.remember(&SessionId::generate(), "a"));
        let state = known.state();
        assert!(state.recent.len() <= GENERATION_SIZE && state.older.len() <= GENERATION_SIZE);
        assert!(state.queue.len() <= BATCH_SIZE);
    }
}
