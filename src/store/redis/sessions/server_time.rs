//! Redis' own clock: what is stored there is dated by it, however wrong the clock of an instance is.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use deadpool_redis::redis::{FromRedisValue, Pipeline, Value};

use crate::clock::{from_unix_time, unix_time};
use crate::session::StoreError;
use crate::store::redis::RedisStore;
use crate::store::redis::connection::reply::read;

/// How long an answer of `TIME` counts. By the process' clock, so after a jump of that clock Redis is asked at once.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// What `TIME` answers: seconds since 1970, and microseconds.
pub(in crate::store::redis) type Time = (u64, u64);

/// How far Redis' clock is ahead of the process' clock, in whole seconds; a difference of one second is none.
#[derive(Debug, Default)]
pub(in crate::store::redis) struct ServerTime {
    ahead: AtomicI64,
    /// When it was last heard, in milliseconds since 1970 by the process' clock; 0: never.
    heard_at: AtomicU64,
}

impl ServerTime {
    fn is_due(&self, now: SystemTime) -> bool {
        let heard_at = Duration::from_millis(self.heard_at.load(Ordering::Relaxed));
        unix_time(now).saturating_sub(heard_at) >= ASK_EVERY
    }

    /// Takes an answer that was asked for at one moment of the process' clock and came at another.
    pub(in crate::store::redis) fn heard(
        &self,
        (seconds, micros): Time,
        asked_at: SystemTime,
        now: SystemTime,
    ) {
        let there = Duration::from_secs(seconds) + Duration::from_micros(micros);
        let here = unix_time(asked_at) + now.duration_since(asked_at).unwrap_or_default() / 2;
        let seconds = |apart: Duration| {
            let whole = apart.as_secs() + u64::from(apart.subsec_millis() >= 500);
            i64::try_from(whole).unwrap_or(i64::MAX)
        };
        let ahead = match there.checked_sub(here) {
            Some(apart) => seconds(apart),
            None => -seconds(here.saturating_sub(there)),
        };
        let ahead = if ahead.abs() <= 1 { 0 } else { ahead };
        let heard_at = u64::try_from(unix_time(now).as_millis()).unwrap_or(u64::MAX);
        self.ahead.store(ahead, Ordering::Relaxed);
        self.heard_at.store(heard_at, Ordering::Relaxed);
    }

    /// A moment of Redis' clock, as the process' clock told it.
    pub(in crate::store::redis) fn to_ours(&self, theirs: SystemTime) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let apart = Duration::from_secs(ahead.unsigned_abs());
        let ours = if ahead >= 0 {
            theirs.checked_sub(apart)
        } else {
            theirs.checked_add(apart)
        };
        // Not beyond what can be shown.
        from_unix_time(unix_time(ours.unwrap_or(theirs)).as_secs())
    }
}

impl RedisStore {
    /// Runs commands of one key in one round trip, with `TIME` behind them when that has not been asked lately.
    pub(in crate::store::redis) async fn run_dated<T: FromRedisValue>(
        &self,
        commands: &mut Pipeline,
    ) -> Result<T, StoreError> {
        read(self.send_dated(commands).await?)
    }

    /// The same with the answer of each, errors among them.
    pub(in crate::store::redis) async fn send_dated(
        &self,
        commands: &mut Pipeline,
    ) -> Result<Vec<Value>, StoreError> {
        let asked_at = self.clock.now();
        if !self.server_time.is_due(asked_at) {
            return self.connections.send(commands).await;
        }
        let mut answers = self.connections.send(commands.cmd("TIME")).await?;
        let (time,) = read(answers.pop().into_iter().collect())?;
        self.server_time.heard(time, asked_at, self.clock.now());
        Ok(answers)
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
    fn what_redis_dates_is_told_in_the_process_own_time() {
        let time = ServerTime::default();
        assert_eq!(time.to_ours(at(5000)), at(5000));
        for (theirs, ours) in [
            ((1000, 0), 1_000_000),
            // The network's share.
            ((1000, 900_000), 1_000_000),
            ((1000, 0), 1_001_400),
            ((4600, 0), 1_000_000),
            ((1000, 0), 4_600_000),
        ] {
            time.heard(theirs, at(ours - 100), at(ours + 100));
            let apart = 1000 * theirs.0;
            let expected = if apart.abs_diff(ours) < 2000 {
                apart
            } else {
                ours
            };
            assert_eq!(time.to_ours(at(apart)), at(expected), "{theirs:?} {ours}");
        }
    }

    #[test]
    fn the_furthest_moment_can_be_shown_however_far_the_clocks_are_apart() {
        let time = ServerTime::default();
        time.heard((1000, 0), at(4_600_000), at(4_600_000));
        let furthest = from_unix_time(u64::MAX);
        assert_eq!(time.to_ours(furthest), furthest);
    }

    #[test]
    fn redis_is_asked_again_after_a_while_and_after_a_jump_of_our_clock() {
        let time = ServerTime::default();
        assert!(time.is_due(at(1_000_000)));
        time.heard((1000, 0), at(1_000_000), at(1_000_000));
        assert!(!time.is_due(at(1_000_000)));
        assert!(!time.is_due(at(1_029_999)));
        assert!(time.is_due(at(1_030_000)));
        assert!(time.is_due(at(90_000_000)));
    }
}
