//! The clock that every lifetime is measured by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

/// A clock that never goes back. Its clones agree.
///
/// It follows tokio's clock, which does not go back when the system clock is set back, and which a test can pause and
/// advance. Where the system clock is further ahead, because it goes on while a machine sleeps, it jumps to that.
/// So no session lives longer, and no expired session comes back, because the system clock was changed.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Origin>);

#[derive(Debug)]
struct Origin {
    wall: SystemTime,
    steady: Instant,
    /// The furthest that the system clock was seen ahead of `steady`, in nanoseconds.
    ahead: AtomicU64,
}

impl Clock {
    /// Starts a clock at the present.
    #[must_use]
    pub fn start() -> Self {
        Self(Arc::new(Origin {
            wall: SystemTime::now(),
            steady: Instant::now(),
            ahead: AtomicU64::new(0),
        }))
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        // The system clock is read first: a pause between the two readings must not look as if it had gone ahead.
        self.now_by(SystemTime::now())
    }

    /// Moves the clock and all its clones ahead, as if the machine had slept for so long: for tests.
    pub fn advance(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let moved = |ahead: u64| Some(ahead.saturating_add(time));
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let _before = self.0.ahead.fetch_update(set, get, moved);
    }

    fn now_by(&self, wall: SystemTime) -> SystemTime {
        let origin = &*self.0;
        let steady = origin.wall + origin.steady.elapsed();
        let ahead = wall.duration_since(steady).unwrap_or_default().as_nanos();
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        let mut furthest = origin.ahead.load(Ordering::Relaxed);
        // Loaded first: a write by every request would move the cache line from core to core.
        if furthest < ahead {
            furthest = origin.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        }
        steady + Duration::from_nanos(furthest)
    }
}

/// The time since 1970; zero for an earlier timestamp.
pub(crate) fn unix_time(timestamp: SystemTime) -> Duration {
    timestamp.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The end of the year 9999, the last second that RFC 3339 can write: a later one in a record is a mistake.
const LAST_SECOND: u64 = 253_402_300_799;

/// The reverse of [`unix_time`], in whole seconds.
pub(crate) fn from_unix_time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND))
}

/// The time since 1970 in microseconds.
pub(crate) fn unix_micros(timestamp: SystemTime) -> u64 {
    u64::try_from(unix_time(timestamp).as_micros()).unwrap_or(u64::MAX)
}

/// The reverse of [`unix_micros`].
pub(crate) fn from_unix_micros(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.min(LAST_SECOND * 1_000_000))
}

/// To the second, in UTC (RFC 3339).
pub(crate) fn rfc3339(timestamp: SystemTime) -> String {
    let timestamp = OffsetDateTime::from(timestamp);
    let timestamp = timestamp.replace_nanosecond(0).unwrap_or(timestamp);
    timestamp.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_that_was_set_back_goes_on_from_where_it_was() {
        let clock = Clock::start();
        let copy = clock.clone();
        let real = SystemTime::now();
        let ahead = clock.now_by(real + HOUR);
        assert!(ahead >= real + HOUR);
        for clock in [&clock, &copy] {
            let back = clock.now_by(real);
            assert!(back >= ahead, "{back:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.now() > ahead);
    }

    #[test]
    fn a_clock_that_was_moved_ahead_goes_on_from_there() {
        let clock = Clock::start();
        let before = clock.now();
        clock.clone().advance(HOUR);
        assert!(clock.now() >= before + HOUR);
        assert!(clock.now_by(before) < before + 2 * HOUR);
        clock.advance(HOUR);
        assert!(clock.now() >= before + 2 * HOUR);
    }

    #[test]
    fn a_machine_that_slept_finds_the_right_time() {
        let clock = Clock::start();
        let real = SystemTime::now();
        assert!(clock.now_by(real + 5 * HOUR) >= real + 5 * HOUR);
        assert!(clock.now_by(real + 5 * HOUR) < real + 6 * HOUR);
    }
}
