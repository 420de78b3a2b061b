//! How Redis is, for the metrics.

use deadpool_redis::redis::{FromRedisValue, ParsingError, Value, cmd};

use super::RedisStore;
use super::answers::read;
use super::layout::id_in;
use crate::session::{StoreError, Vitals};

/// How many keys are drawn; in a cluster each draw is put to all primaries, and one answer is taken. Of a million keys, half of them sessions, the estimate is then within 70,000 of the
/// truth nineteen times in twenty; a scrape costs some 10 kB and no walk through the keys.
const DRAWN: usize = 200;

impl RedisStore {
    pub(super) async fn do_vitals(&self) -> Vitals {
        let live = self.connections.within_budget(self.estimate()).await;
        Vitals {
            live: live.ok(),
            breaker_open: Some(self.connections.are_out()),
            connections: Some(self.connections.count()),
            ..Vitals::default()
        }
    }

    /// About how many sessions there are: that part of all keys which are sessions among some drawn at random.
    /// Redis counts keys by database only, and an index of our own would cost a write for each session.
    async fn estimate(&self) -> Result<u64, StoreError> {
        let mut commands = vec![cmd("DBSIZE")];
        commands.resize(1 + DRAWN, cmd("RANDOMKEY"));
        let sample: Sample = read(self.connections.run_each([commands]).await?)?;
        Ok(sample.estimate())
    }
}

struct Sample {
    keys: u64,
    drawn: u64,
    sessions: u64,
}

impl Sample {
    fn estimate(&self) -> u64 {
        let scaled = self.keys.saturating_mul(self.sessions) + self.drawn / 2;
        scaled.checked_div(self.drawn).unwrap_or(0)
    }
}

impl FromRedisValue for Sample {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut answers = Vec::<Value>::from_redis_value(value)?.into_iter();
        let keys = answers.next().map_or(Ok(0), u64::from_redis_value)?;
        let (mut drawn, mut sessions) = (0, 0);
        for answer in answers {
            // None: the database has become empty.
            if let Some(key) = Option::<Vec<u8>>::from_redis_value(answer)? {
                drawn += 1;
                sessions += u64::from(id_in(&key).is_some());
            }
        }
        Ok(Self {
            keys,
            drawn,
            sessions,
        })
    }
}
