//! Remembers that the server does not answer, so that requests need not find out one by one.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use crate::store::redis::connection::micros::{self, CLOCK_RESOLUTION, micros};

/// How many failed round trips in a row open the breaker.
const FAILURE_THRESHOLD: u32 = 5;

/// Closed: commands go to the server. Open: they fail at once, until a probe has found the server again.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    failures: AtomicU32,
    open: AtomicBool,
    /// When the server answered last, in [`micros()`].
    answered_at: AtomicU64,
}

impl CircuitBreaker {
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The server answered, with an error perhaps.
    pub(crate) fn answered(&self) {
        // Read first, as `set_coarsely` does.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        micros::set_coarsely(&self.answered_at);
    }

    /// An attempt that began then found no server. Says whether this was the failure that opens the breaker.
    ///
    /// One that began before the last answer says nothing that the answer does not disprove: when a connection is
    /// lost under load, many attempts fail that were under way on it, while a new one already serves.
    pub(crate) fn failed(&self, begun: Instant) -> bool {
        let answered_at = self.answered_at.load(Ordering::Relaxed);
        if answered_at > 0 && micros(begun) <= answered_at.saturating_add(CLOCK_RESOLUTION) {
            return false;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= FAILURE_THRESHOLD && !self.open.swap(true, Ordering::Relaxed)
    }

    /// The server was found again: attempts that began before do not count any more.
    pub(crate) fn close(&self) {
        self.answered_at.store(micros::now(), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// When an attempt begins for which everything of now is past.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[test]
    fn only_failures_in_a_row_open_it_and_only_once() {
        let breaker = CircuitBreaker::default();
        for _ in 1..FAILURE_THRESHOLD {
            assert!(!breaker.failed(Instant::now()));
        }
        breaker.answered();
        for _ in 1..FAILURE_THRESHOLD {
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
    fn attempts_that_began_before_the_last_answer_do_not_count() {
        let breaker = CircuitBreaker::default();
        let begun = Instant::now();
        breaker.answered();
        for _ in 0..10 * FAILURE_THRESHOLD {
            assert!(!breaker.failed(begun));
        }
        assert!(!breaker.is_open());
        for _ in 0..FAILURE_THRESHOLD {
            breaker.failed(later());
        }
        assert!(breaker.is_open());
    }
}
