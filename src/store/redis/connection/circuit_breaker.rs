//! Fails requests at once while the server does not answer, instead of letting each wait for it.

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
    /// When the server last answered, in [`micros()`].
    answered_at: AtomicU64,
}

impl CircuitBreaker {
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The server answered, even if with an error.
    pub(crate) fn record_answer(&self) {
        // Read first, for the reason that `set_coarsely` has.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        micros::set_coarsely(&self.answered_at);
    }

    /// A round trip that started at `started_at` found no server. Returns whether this failure opens the breaker.
    ///
    /// One that started before the last answer does not count: when a connection is lost under load, the many round
    /// trips that were under way on it fail, while a new connection already serves.
    pub(crate) fn record_failure(&self, started_at: Instant) -> bool {
        let answered_at = self.answered_at.load(Ordering::Relaxed);
        if answered_at > 0 && micros(started_at) <= answered_at.saturating_add(CLOCK_RESOLUTION) {
            return false;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= FAILURE_THRESHOLD && !self.open.swap(true, Ordering::Relaxed)
    }

    /// The server is available again: round trips that started before do not count any more.
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

    /// The start of a round trip after everything that has happened so far.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[test]
    fn only_failures_in_a_row_open_it_and_only_once() {
        let breaker = CircuitBreaker::default();
        for _ in 1..FAILURE_THRESHOLD {
            assert!(!breaker.record_failure(Instant::now()));
        }
        breaker.record_answer();
        for _ in 1..FAILURE_THRESHOLD {
            assert!(!breaker.record_failure(later()));
        }
        assert!(!breaker.is_open());
        assert!(breaker.record_failure(later()));
        assert!(breaker.is_open());
        assert!(!breaker.record_failure(later()));
        breaker.close();
        assert!(!breaker.is_open());
    }

    #[test]
    fn round_trips_that_started_before_the_last_answer_do_not_count() {
        let breaker = CircuitBreaker::default();
        let started_at = Instant::now();
        breaker.record_answer();
        for _ in 0..10 * FAILURE_THRESHOLD {
            assert!(!breaker.record_failure(started_at));
        }
        assert!(!breaker.is_open());
        for _ in 0..FAILURE_THRESHOLD {
            breaker.record_failure(later());
        }
        assert!(breaker.is_open());
    }
}
