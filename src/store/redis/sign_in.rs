//! `impl SignInStore for RedisStore`: a counter for each thing that attempts are counted on, and a sorted set of users for each
//! browser. Each script touches only the one key that it is given.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, Pipeline};

use crate::session::StoreError;
use crate::sign_in::{Attempts, Counted, Digest, SignInStore};
use crate::store::redis::keys::{attempts_key, known_device_key, seconds};
use crate::store::redis::sessions::index::eval;
use crate::store::redis::sessions::store::RedisStore;
use crate::user_name::UserName;

/// The most users that one browser is known to.
const MAX_USERS_OF_DEVICE: usize = 100;

/// Unlike sessions', these calls have a timeout of their own, because they have no [`Sessions`](crate::Sessions) around them.
#[async_trait]
impl SignInStore for RedisStore {
    async fn count(&self, attempts: &Attempts) -> Result<Counted, StoreError> {
        let mut count = eval(COUNT, &[attempts_key(&attempts.counter)]);
        count.arg(attempts.limit).arg(seconds(attempts.window));
        let left: i64 = self
            .client
            .with_timeout(self.client.query_one(count))
            .await?;
        Ok(match u64::try_from(left) {
            Ok(left) => Counted::Refused {
                retry_after: Duration::from_millis(left),
            },
            Err(_) => Counted::Allowed,
        })
    }

    /// Sent once: if its reply was lost, a second one would let a guess too many pass.
    async fn uncount(&self, counter: &Digest) -> Result<(), StoreError> {
        let uncount = eval(UNCOUNT, &[attempts_key(counter)]);
        self.client
            .with_timeout(self.client.query_once(uncount))
            .await
    }

    /// Sent once: a second one would forget the guesses that were counted since the first.
    async fn reset(&self, counter: &Digest) -> Result<(), StoreError> {
        let delete = Cmd::del(attempts_key(counter));
        self.client
            .with_timeout(self.client.query_once(delete))
            .await
    }

    async fn remember_device(
        &self,
        device: &Digest,
        user: &UserName,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let mut remember = eval(REMEMBER, &[known_device_key(device)]);
        remember
            .arg(user.as_str())
            .arg(seconds(ttl))
            .arg(MAX_USERS_OF_DEVICE);
        self.client
            .with_timeout(self.client.query_one(remember))
            .await
    }

    async fn knows_device(&self, device: &Digest, user: &UserName) -> Result<bool, StoreError> {
        let mut commands = Pipeline::with_capacity(2);
        commands
            .zscore(known_device_key(device), user.as_str())
            .cmd("TIME");
        let query = self.client.query(&commands);
        let (until, (now, _)): (Option<f64>, (u64, u64)) = self.client.with_timeout(query).await?;
        Ok(until.is_some_and(|until| until > Duration::from_secs(now).as_secs_f64()))
    }
}

/// Counts an attempt and answers -1; at the limit counts nothing, and answers in how many milliseconds the window ends. A limit
/// of 0 leaves no key.
const COUNT: &str = r"
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if tonumber(redis.call('GET', KEYS[1]) or '0') >= limit then
  if left == -1 then redis.call('EXPIRE', KEYS[1], window) end
  if left < 0 then left = window * 1000 end
  return left
end
redis.call('INCRBY', KEYS[1], 1)
if left < 0 then redis.call('EXPIRE', KEYS[1], window) end
return -1
";

/// Takes an attempt back. `INCRBY` leaves the key's expiry as it is.
const UNCOUNT: &str = r"
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('INCRBY', KEYS[1], -1) end
";

/// Remembers a user by the time until which the browser is known, and forgets those beyond the limit, the oldest first.
const REMEMBER: &str = r"
local time = redis.call('TIME')
local known_until = time[1] + time[2] / 1000000 + ARGV[2]
redis.call('ZADD', KEYS[1], string.format('%.6f', known_until), ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[2])
";
