//! Counts of attempts in memory.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::sign_in::{Attempts, Counted, Digest};

type Key = [u8; 32];

/// The most counters; about five megabytes.
const MAX_COUNTERS: usize = 20_000;

/// Counts of attempts, for one process.
///
/// When there is no room for another one, the counter with the most attempts left goes; of several those with the higher limit,
/// and of these the oldest. So whoever invents sources, each of which is counted once, displaces such sources, and none that is
/// near its limit; and never an account's counter, whose limit is lower.
#[derive(Debug)]
pub(crate) struct AttemptCounters {
    counters: Mutex<Counters>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Counters {
    counted: HashMap<Key, Counter>,
    expiring: BTreeSet<(SystemTime, Key)>,
    giving_way: BTreeSet<Worth>,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    count: u32,
    limit: u32,
    expires_at: SystemTime,
}

/// In this order counters are given up: attempts left, limit, expiry.
type Worth = (Reverse<u32>, Reverse<u32>, SystemTime, Key);

impl Default for AttemptCounters {
    fn default() -> Self {
        Self {
            counters: Mutex::default(),
            capacity: MAX_COUNTERS,
        }
    }
}

impl AttemptCounters {
    /// As [`SignInStore::count`](crate::SignInStore::count).
    pub(crate) fn count(&self, attempts: &Attempts, now: SystemTime) -> Counted {
        let Attempts {
            counter,
            limit,
            window,
        } = *attempts;
        let key = *counter.as_bytes();
        let mut counters = self.lock();
        counters.remove_expired(now);
        let known = counters.counted.get(&key).copied();
        let (count, expires_at) =
            known.map_or((0, now + window), |known| (known.count, known.expires_at));
        if count >= limit {
            return Counted::Refused {
                retry_after: expires_at.duration_since(now).unwrap_or_default(),
            };
        }
        if known.is_none() && counters.counted.len() >= self.capacity {
            counters.remove_least();
        }
        counters.set(key, count + 1, limit, expires_at);
        Counted::Allowed
    }

    /// As [`SignInStore::uncount`](crate::SignInStore::uncount).
    pub(crate) fn uncount(&self, counter: &Digest, now: SystemTime) {
        let mut counters = self.lock();
        counters.remove_expired(now);
        let key = *counter.as_bytes();
        if let Some(known) = counters.counted.get(&key).copied() {
            let count = known.count.saturating_sub(1);
            counters.set(key, count, known.limit, known.expires_at);
        }
    }

    /// As [`SignInStore::reset`](crate::SignInStore::reset).
    pub(crate) fn reset(&self, counter: &Digest) {
        self.lock().remove(counter.as_bytes());
    }

    // A panic while the lock was held cannot leave the maps half changed.
    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    fn set(&mut self, key: Key, count: u32, limit: u32, expires_at: SystemTime) {
        self.remove(&key);
        let counter = Counter {
            count,
            limit,
            expires_at,
        };
        self.expiring.insert((expires_at, key));
        self.giving_way.insert(counter.worth(key));
        self.counted.insert(key, counter);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(counter) = self.counted.remove(key) {
            self.expiring.remove(&(counter.expires_at, *key));
            self.giving_way.remove(&counter.worth(*key));
        }
    }

    fn remove_expired(&mut self, now: SystemTime) {
        while let Some((expires_at, key)) = self.expiring.first().copied()
            && expires_at <= now
        {
            self.remove(&key);
        }
    }

    fn remove_least(&mut self) {
        if let Some((.., key)) = self.giving_way.first().copied() {
            self.remove(&key);
        }
    }
}

impl Counter {
    fn worth(self, key: Key) -> Worth {
        let left = self.limit.saturating_sub(self.count);
        (Reverse(left), Reverse(self.limit), self.expires_at, key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(900);

    fn attempts(name: &str, limit: u32) -> Attempts {
        Attempts {
            counter: Digest::of(name),
            limit,
            window: WINDOW,
        }
    }

    fn passes(counters: &AttemptCounters, name: &str, limit: u32, now: SystemTime) -> bool {
        counters.count(&attempts(name, limit), now) == Counted::Allowed
    }

    #[test]
    fn a_flood_of_sources_displaces_no_counter_near_its_limit() {
        let counters = AttemptCounters {
            capacity: 1000,
            ..AttemptCounters::default()
        };
        let now = SystemTime::now();
        for _ in 0..10 {
            assert!(passes(&counters, "account", 10, now));
        }
        assert!(passes(&counters, "young account", 10, now));
        for _ in 0..100 {
            assert!(passes(&counters, "source", 100, now));
        }
        for number in 0..10_000 {
            assert!(passes(&counters, &number.to_string(), 100, now));
            assert!(counters.lock().counted.len() <= 1000);
        }
        assert!(!passes(&counters, "account", 10, now));
        assert!(!passes(&counters, "source", 100, now));
        let left = (0..20).filter(|_| passes(&counters, "young account", 10, now));
        assert_eq!(left.count(), 9);
        let Counters {
            counted,
            expiring,
            giving_way,
        } = &*counters.lock();
        assert_eq!(
            (counted.len(), expiring.len()),
            (giving_way.len(), giving_way.len())
        );
    }

    #[test]
    fn what_has_expired_takes_no_room() {
        let counters = AttemptCounters::default();
        let now = SystemTime::now();
        for number in 0..100 {
            assert!(passes(&counters, &number.to_string(), 1, now));
        }
        assert!(!passes(&counters, "0", 1, now + WINDOW / 2));
        assert!(passes(&counters, "0", 1, now + WINDOW));
        assert_eq!(counters.lock().counted.len(), 1);
    }
}
