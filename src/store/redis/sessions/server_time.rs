//! Redis' clock, which dates the sessions however wrong an instance's own clock is.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::clock::{from_unix_time, unix_time};

/// How long an answer to `TIME` is used. Measured by the process' clock, so that after a jump of that clock `TIME` is
/// sent at once.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// The answer to `TIME`: the Unix time in seconds, and microseconds.
pub(crate) type Time = (u64, u64);

/// How far Redis' clock is ahead of the process' clock, in whole seconds; one second counts as none.
#[derive(Debug, Default)]
pub(crate) struct ServerTime {
    ahead: AtomicI64,
    /// When `TIME` was last answered, as Unix time in milliseconds by the process' clock; 0: never.
    updated_at: AtomicU64,
}

impl ServerTime {
    /// Whether `TIME` should be sent.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        let updated_at = Duration::from_millis(self.updated_at.load(Ordering::Relaxed));
        unix_time(now).saturating_sub(updated_at) >= ASK_EVERY
    }

    /// Takes the answer to a `TIME` that was sent at `sent_at` and answered `now`, by the process' clock.
    pub(crate) fn set(&self, (seconds, micros): Time, sent_at: SystemTime, now: SystemTime) {
        let server = Duration::from_secs(seconds) + Duration::from_micros(micros);
        let local = unix_time(sent_at) + now.duration_since(sent_at).unwrap_or_default() / 2;
        let seconds = |difference: Duration| {
            let whole = difference.as_secs() + u64::from(difference.subsec_millis() >= 500);
            i64::try_from(whole).unwrap_or(i64::MAX)
        };
        let ahead = match server.checked_sub(local) {
            Some(difference) => seconds(difference),
            None => -seconds(local.saturating_sub(server)),
        };
        let ahead = if ahead.abs() <= 1 { 0 } else { ahead };
        let updated_at = u64::try_from(unix_time(now).as_millis()).unwrap_or(u64::MAX);
        self.ahead.store(ahead, Ordering::Relaxed);
        self.updated_at.store(updated_at, Ordering::Relaxed);
    }

    /// Converts a timestamp by Redis' clock to the process' clock.
    pub(crate) fn to_local(&self, server: SystemTime) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let difference = Duration::from_secs(ahead.unsigned_abs());
        let local = if ahead >= 0 {
            server.checked_sub(difference)
        } else {
            server.checked_add(difference)
        };
        // `from_unix_time` caps it at the last timestamp of RFC 3339.
        from_unix_time(unix_time(local.unwrap_or(server)).as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn a_timestamp_of_redis_becomes_one_of_the_process_clock() {
        let time = ServerTime::default();
        assert_eq!(time.to_local(at(5000)), at(5000));
        for (theirs, ours) in [
            ((1000, 0), 1_000_000),
            // The network's share.
            ((1000, 900_000), 1_000_000),
            ((1000, 0), 1_001_400),
            ((4600, 0), 1_000_000),
            ((1000, 0), 4_600_000),
        ] {
            time.set(theirs, at(ours - 100), at(ours + 100));
            let apart = 1000 * theirs.0;
            let expected = if apart.abs_diff(ours) < 2000 {
                apart
            } else {
                ours
            };
            assert_eq!(time.to_local(at(apart)), at(expected), "{theirs:?} {ours}");
        }
    }

    #[test]
    fn the_last_timestamp_can_be_shown_however_far_the_clocks_are_apart() {
        let time = ServerTime::default();
        time.set((1000, 0), at(4_600_000), at(4_600_000));
        let furthest = from_unix_time(u64::MAX);
        assert_eq!(time.to_local(furthest), furthest);
    }

    #[test]
    fn redis_is_asked_again_after_a_while_and_after_a_jump_of_our_clock() {
        let time = ServerTime::default();
        assert!(time.is_due(at(1_000_000)));
        time.set((1000, 0), at(1_000_000), at(1_000_000));
        assert!(!time.is_due(at(1_000_000)));
        assert!(!time.is_due(at(1_029_999)));
        assert!(time.is_due(at(1_030_000)));
        assert!(time.is_due(at(90_000_000)));
    }
}
