//! When to try again after a failure.

use std::time::{Duration, Instant};

const MAX_DELAY: Duration = Duration::from_secs(30);
/// After this long without a failure the next one counts as the first.
const RESET_AFTER: Duration = Duration::from_secs(60);

/// Waits 1, 2, 4 .. 30 seconds from failure to failure.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    failed_at: Option<Instant>,
}

impl Backoff {
    pub(crate) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(Instant::now());
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// For a success that proves little, because it needed no room.
    pub(crate) fn forget_if_old(&mut self) {
        if self.failed_at.is_some_and(|at| at.elapsed() > RESET_AFTER) {
            self.succeeded();
        }
    }

    /// Whether it is too early to try again.
    pub(crate) fn is_waiting(&self) -> bool {
        self.failed_at.is_some_and(|at| at.elapsed() < self.delay())
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    fn delay(&self) -> Duration {
        let doubled = 1_u64 << self.failures.saturating_sub(1).min(16);
        Duration::from_secs(doubled).min(MAX_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_half_a_minute_and_begins_anew_after_a_success() {
        let mut backoff = Backoff::default();
        assert!(!backoff.is_waiting());
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            backoff.failed();
            assert!(backoff.is_waiting());
            assert_eq!(backoff.delay(), Duration::from_secs(seconds));
        }
        backoff.succeeded();
        assert!(!backoff.is_waiting() && !backoff.has_failed());
        backoff.failed();
        assert_eq!(backoff.delay(), Duration::from_secs(1));
    }
}
