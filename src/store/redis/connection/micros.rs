//! [`Instant`]s as microseconds, which fit into an atomic.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How exact the timestamps of [`set_coarsely`] are.
pub(crate) const CLOCK_RESOLUTION: u64 = 10_000;

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Never zero, which callers use for "never".
pub(crate) fn micros(timestamp: Instant) -> u64 {
    let micros = timestamp.saturating_duration_since(*EPOCH).as_micros();
    u64::try_from(micros).unwrap_or(u64::MAX).saturating_add(1)
}

pub(crate) fn now() -> u64 {
    micros(Instant::now())
}

/// Sets it to now, unless it is nearly that: a write by every request would send the cache line from core to core.
pub(crate) fn set_coarsely(time: &AtomicU64) {
    let (last, now) = (time.load(Ordering::Relaxed), now());
    if last == 0 || last + CLOCK_RESOLUTION < now {
        time.store(now, Ordering::Relaxed);
    }
}
