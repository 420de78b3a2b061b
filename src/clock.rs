//! The clock that every lifetime is measured by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

/// Tells the time; copies of one clock agree, and none of them ever goes back.
///
/// It is tokio's clock counted from the moment of its making, and as far ahead of that as the wall clock has ever been
/// seen. The wall clock goes on while a machine sleeps; tokio's neither goes back when somebody sets the wall clock
/// back, nor stands still in a test that pauses and advances it.
/// So no session lives longer because a clock was changed, and none that was over lives again.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Origin>);

#[derive(Debug)]
struct Origin {
    wall: SystemTime,
    steady: Instant,
    /// The furthest that the wall clock was ahead, in nanoseconds.
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

    /// Tells the present.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        // The wall clock is read first: a pause between the two readings must not look as if it had gone ahead.
        self.told_with(SystemTime::now())
    }

    fn told_with(&self, wall: SystemTime) -> SystemTime {
        let origin = &*self.0;
        let steady = origin.wall + origin.steady.elapsed();
        let ahead = wall.duration_since(steady).unwrap_or_default().as_nanos();
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        let mut furthest = origin.ahead.load(Ordering::Relaxed);
        // Read first: a write by every request would send the line from core to core.
        if furthest < ahead {
            furthest = origin.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        }
        steady + Duration::from_nanos(furthest)
    }
}

/// How stores and records count time; nothing before 1970.
pub(crate) fn unix_time(timestamp: SystemTime) -> Duration {
    timestamp.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The end of the year 9999: what is later was written by mistake, and no calendar can tell it.
const LAST_SECOND: u64 = 253_402_300_799;

/// The moment that a record names, in whole seconds since 1970.
pub(crate) fn from_unix_time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND))
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
        let ahead = clock.told_with(real + HOUR);
        assert!(ahead >= real + HOUR);
        for clock in [&clock, &copy] {
            let back = clock.told_with(real);
            assert!(back >= ahead, "{back:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.now() > ahead);
    }

    #[test]
    fn a_machine_that_slept_finds_the_right_time() {
        let clock = Clock::start();
        let real = SystemTime::now();
        assert!(clock.told_with(real + 5 * HOUR) >= real + 5 * HOUR);
        assert!(clock.told_with(real + 5 * HOUR) < real + 6 * HOUR);
    }
}
