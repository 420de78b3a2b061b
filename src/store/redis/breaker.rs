//! Remembers that the server does not answer, so that requests need not find out one by one.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// So many operations in a row that found no server make an outage.
const ENOUGH: u32 = 5;

/// Closed: operations go to the server. Open: they fail at once, until a probe has found the server again.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    open: AtomicBool,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The server answered, whatever it was.
    pub(super) fn answered(&self) {
        // Read first: a write by every request would send the line from core to core.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// No server was found. Says whether this was the failure that opens the breaker.
    pub(super) fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= ENOUGH && !self.open.swap(true, Ordering::Relaxed)
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
        let breaker = Breaker::default();
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
}
