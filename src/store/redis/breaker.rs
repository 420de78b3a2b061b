//! Remembers that the server does not answer, so that requests need not find out one by one.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So many operations in a row that found no server make an outage.
const ENOUGH: u32 = 5;

/// How exactly it is remembered when somebody was answered, in milliseconds.
const COARSE: u64 = 10;

/// Closed: operations go to the server. Open: they fail at once, until a probe has found the server again.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: AtomicU32,
    open: AtomicBool,
    /// How long nobody must have been answered, besides: in a cluster many can fail at once, while others go on.
    silence: Duration,
    begun: Instant,
    /// When somebody was answered last, in milliseconds since it began.
    answered_at: AtomicU64,
}

impl Breaker {
    pub(super) fn after(silence: Duration) -> Self {
        Self {
            failures: AtomicU32::new(0),
            open: AtomicBool::new(false),
            silence,
            begun: Instant::now(),
            answered_at: AtomicU64::new(0),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The server answered, whatever it was.
    pub(super) fn answered(&self) {
        // Read first: a write by every request would send the line from core to core.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if !self.silence.is_zero() {
            let now = self.now();
            if self.answered_at.load(Ordering::Relaxed) + COARSE < now {
                self.answered_at.store(now, Ordering::Relaxed);
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_silent(&self) -> bool {
        let answered_at = Duration::from_millis(self.answered_at.load(Ordering::Relaxed));
        self.begun.elapsed() >= answered_at + self.silence
    }

    /// No server was found. Says whether this was the failure that opens the breaker.
    pub(super) fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= ENOUGH && self.is_silent() && !self.open.swap(true, Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_in_a_row_open_it_and_only_once() {
        let breaker = Breaker::after(Duration::ZERO);
        for _ in 1..ENOUGH {
            assert!(!breaker.failed());
        }
        breaker.answered();
        for _ in 1..ENOUGH {
            assert!(!breaker.failed());
        }
        assert!(!breaker.is_open());
        assert!(breaker.failed());
        assert!(breaker.is_open());
        assert!(!breaker.failed());
        breaker.close();
        assert!(!breaker.is_open());
    }

    #[test]
    fn many_failures_at_once_do_not_open_it_while_others_are_answered() {
        let breaker = Breaker::after(Duration::from_secs(3600));
        breaker.answered();
        for _ in 0..10 * ENOUGH {
            assert!(!breaker.failed());
        }
        assert!(!breaker.is_open());
    }
}
