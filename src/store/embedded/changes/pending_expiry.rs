//! The ends that have slid since they were last written.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::embedded::database::schema::Key;

/// Newer ends of sessions, in milliseconds since 1970, until the writer has put them on disk.
///
/// A std mutex and not tokio's: it is held for one look-up and never across an await.
#[derive(Debug, Default)]
pub(crate) struct PendingExpiries(Mutex<HashMap<Key, u64>>);

impl PendingExpiries {
    /// Remembers a session's new end.
    pub(crate) fn insert(&self, key: Key, end: u64) {
        self.ends().insert(key, end);
    }

    /// The end remembered here.
    pub(crate) fn get(&self, key: &Key) -> Option<u64> {
        self.ends().get(key).copied()
    }

    /// The end that counts for the writer, who alone forgets: the one remembered here, else the written one.
    pub(crate) fn effective(&self, key: &Key, written: u64) -> u64 {
        self.get(key).unwrap_or(written)
    }

    /// What is to be written. It stays here, because readers need it until it is on disk.
    pub(crate) fn to_vec(&self) -> Vec<(Key, u64)> {
        self.ends().iter().map(|(key, end)| (*key, *end)).collect()
    }

    /// Drops what has been written and has not slid again since.
    pub(crate) fn remove_written(&self, written: &[(Key, u64)]) {
        let mut ends = self.ends();
        for (key, end) in written {
            if ends.get(key) == Some(end) {
                ends.remove(key);
            }
        }
        // After a rush it would keep the room for as many.
        let needed = ends.len();
        if ends.capacity() > 4 * needed {
            ends.shrink_to(2 * needed);
        }
    }

    // A panic while the lock was held cannot leave a map half changed.
    fn ends(&self) -> MutexGuard<'_, HashMap<Key, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
