//! An estimate of the number of sessions, for the metrics.

use deadpool_redis::redis::cmd;

use crate::session::StoreError;
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::parse_session_key;
use crate::store::redis::sessions::store::RedisStore;

/// How many keys are sampled; in a cluster the primaries take turns. Of a million keys, half of them sessions, the
/// estimate is then within 48,000 of the truth (three standard deviations); a scrape costs some 50 kB and no `SCAN`.
const SAMPLE_SIZE: usize = 1000;

impl RedisStore {
    /// Draws keys at random: the share of sessions among them and `DBSIZE` tell the number of sessions. Redis counts
    /// keys only by database, and an index of our own would cost a write for each session.
    pub(crate) async fn sample_keys(&self) -> Result<Sample, StoreError> {
        let mut commands = vec![cmd("DBSIZE")];
        commands.resize(1 + SAMPLE_SIZE, cmd("RANDOMKEY"));
        let draw = self.client.pipeline([commands]);
        let mut answers = self.client.with_timeout(draw).await?;
        // `None`: the database has become empty.
        let drawn: Vec<Option<Vec<u8>>> = read(answers.split_off(1))?;
        let (keys,) = read(answers)?;
        let sessions = drawn
            .iter()
            .flatten()
            .filter(|key| parse_session_key(key).is_some());
        Ok(Sample {
            keys,
            sessions: sessions.count() as u64,
            drawn: drawn.iter().flatten().count() as u64,
        })
    }
}

pub(crate) struct Sample {
    keys: u64,
    drawn: u64,
    sessions: u64,
}

impl Sample {
    pub(crate) fn estimate(&self) -> u64 {
        let scaled = self.keys.saturating_mul(self.sessions) + self.drawn / 2;
        scaled.checked_div(self.drawn).unwrap_or(0)
    }

    /// Three times the estimate's standard deviation, rounded up: one estimate in 370 is off by more.
    pub(crate) fn error(&self) -> u64 {
        let [keys, drawn, sessions] = [self.keys, self.drawn, self.sessions].map(u128::from);
        // Laplace's rule: one more of each kind than was drawn, since a sample of one kind does not prove there is no
        // other.
        let spread = (sessions + 1) * (drawn - sessions + 1);
        let variance = (keys * keys * spread).checked_div(drawn * (drawn + 2) * (drawn + 2));
        let deviations = (9 * variance.unwrap_or(0)).isqrt();
        u64::try_from(deviations).map_or(u64::MAX, |error| error + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_tells_how_good_it_is() {
        for (keys, drawn, sessions, estimate, error) in [
            (0, 0, 0, 0, 1),
            (9, 1000, 333, 3, 1),
            (1_000_000, 1000, 500, 500_000, 47_387),
            (1_000_000, 1000, 0, 0, 2993),
            (1_000_000, 1000, 1000, 1_000_000, 2993),
        ] {
            let sample = Sample {
                keys,
                drawn,
                sessions,
            };
            assert_eq!(sample.estimate(), estimate, "{keys} {sessions}");
            assert!(
                sample.error().abs_diff(error) <= error / 50,
                "{}",
                sample.error()
            );
        }
    }
}
