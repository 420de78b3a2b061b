//! The expiries of sessions that were used since the writer last wrote them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::embedded::database::schema::Key;

/// Expiries in milliseconds since 1970, until they are committed.
///
/// A std mutex and not tokio's: it is held for one look-up and never across an await.
#[derive(Debug, Default)]
pub(crate) struct PendingExpiries(Mutex<Expiries>);

type Expiries = HashMap<Key, u64, BuildHasherDefault<FirstBytes>>;

/// A key is a digest, and only those of sessions that are there are inserted: nobody can choose it.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, key: &[u8]) {
        self.0 = key.first_chunk().copied().map_or(0, u64::from_ne_bytes);
    }

    /// Of the length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl PendingExpiries {
    pub(crate) fn insert(&self, key: Key, expires_at: u64) {
        self.lock().insert(key, expires_at);
    }

    pub(crate) fn get(&self, key: &Key) -> Option<u64> {
        self.lock().get(key).copied()
    }

    /// The expiries to be written, in the order of the table. They stay here, because readers need them until they are
    /// committed.
    pub(crate) fn to_vec(&self) -> Vec<(Key, u64)> {
        let mut expiries: Vec<_> = {
            let pending = self.lock();
            pending.iter().map(|(key, at)| (*key, *at)).collect()
        };
        // So each page is read and changed once.
        expiries.sort_unstable_by_key(|(key, _)| *key);
        expiries
    }

    /// Drops the expiries that have been committed, unless the session was used again meanwhile.
    pub(crate) fn remove_committed(&self, committed: &[(Key, u64)]) {
        let mut pending = self.lock();
        for (key, expires_at) in committed {
            if pending.get(key) == Some(expires_at) {
                pending.remove(key);
            }
        }
        // After a rush the map would keep its capacity for ever.
        let needed = pending.len();
        if pending.capacity() > 4 * needed {
            pending.shrink_to(2 * needed);
        }
    }

    // A panic while the lock was held cannot leave a map half changed.
    fn lock(&self) -> MutexGuard<'_, Expiries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
