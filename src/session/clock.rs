//! The clock that every lifetime is measured by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

/// Tells the time; copies of one clock agree.
///
/// It is the later of the wall clock and of tokio's clock counted from the moment of its making.
/// The wall clock goes on while a machine sleeps; tokio's neither goes back when somebody sets the
/// wall clock back, nor stands still in a test that pauses and advances it.
/// So no session lives longer because a clock was changed.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: SystemTime,
    steady: Instant,
}

impl Clock {
    /// Starts a clock at the present.
    #[must_use]
    pub fn start() -> Self {
        Self {
            wall: SystemTime::now(),
            steady: Instant::now(),
        }
    }

    /// Tells the present.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::now().max(self.wall + self.steady.elapsed())
    }
}

/// How stores and records count time; nothing before 1970.
pub(crate) fn since_1970(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// To the second, in UTC (RFC 3339).
pub(crate) fn rfc3339(moment: SystemTime) -> String {
    let moment = OffsetDateTime::from(moment);
    let moment = moment.replace_nanosecond(0).unwrap_or(moment);
    moment.format(&Rfc3339).unwrap_or_default()
}
