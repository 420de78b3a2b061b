//! Remembers that the server does not answer, so that requests need not find out one by one.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// So many operations in a row that found no server make an outage.
const ENOUGH: u32 = 5;

/// How exactly it is remembered when somebody was answered, in milliseconds.
const COARSE: u64 = 10;

/// Closed: operations go to the server. Open: they fail at once, until a probe has found the server again.
#[derive(Debug)]
pub(in crate::store::redis) struct Breaker {
    failures: AtomicU32,
    open: AtomicBool,
    begun: Instant,
    /// When somebody was answered last, in milliseconds since it began; 0: nobody yet.
    answered_at: AtomicU64,
}

impl Breaker {
    pub(in crate::store::redis) fn new() -> Self {
        Self {
            failures: AtomicU32::new(0),
            open: AtomicBool::new(false),
            begun: Instant::now(),
            answered_at: AtomicU64::new(0),
        }
    }

    pub(in crate::store::redis) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The server answered, whatever it was.
    pub(in crate::store::redis) fn answered(&self) {
        // Read first: a write by every request would send the line from core to core.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        let now = self.at(Instant::now());
        let answered_at = self.answered_at.load(Ordering::Relaxed);
        if answered_at == 0 || answered_at + COARSE < now {
            self.answered_at.store(now, Ordering::Relaxed);
        }
    }

    /// Never zero.
    fn at(&self, timestamp: Instant) -> u64 {
        let millis = timestamp.saturating_duration_since(self.begun).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// No server was found by an operation that was begun then. Says whether this was the failure that opens the
    /// breaker.
    ///
    /// One that was begun before the last answer says nothing that the answer does not disprove: when a connection is
    /// lost under load, many operations fail that were under way on it, while a new one already serves.
    pub(in crate::store::redis) fn failed(&self, begun: Instant) -> bool {
        let answered_at = self.answered_at.load(Ordering::Relaxed);
        if answered_at > 0 && self.at(begun) <= answered_at.saturating_add(COARSE) {
            return false;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= ENOUGH && !self.open.swap(true, Ordering::Relaxed)
    }

    /// The server was found again: whatever was begun before is over.
    pub(in crate::store::redis) fn close(&self) {
        let now = self.at(Instant::now());
        self.answered_at.store(now, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// An operation that is begun when everything of now is past.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[test]
    fn only_failures_in_a_row_open_it_and_only_once() {
        let breaker = Breaker::new();
        for _ in 1..ENOUGH {
            assert!(!breaker.failed(Instant::now()));
        }
        breaker.answered();
        for _ in 1..ENOUGH {
            assert!(!breaker.failed(later()));
        }
        assert!(!breaker.is_open());
        assert!(breaker.failed(later()));
        assert!(breaker.is_open());
        assert!(!breaker.failed(later()));
        breaker.close();
        assert!(!breaker.is_open());
    }

    #[test]
    fn what_was_begun_before_the_last_answer_says_nothing() {
        let breaker = Breaker::new();
        let begun = Instant::now();
        breaker.answered();
        for _ in 0..10 * ENOUGH {
            assert!(!breaker.failed(begun));
        }
        assert!(!breaker.is_open());
        for _ in 0..ENOUGH {
            breaker.failed(later());
        }
        assert!(breaker.is_open());
    }
}
