//! [`RedisStore`], and how it reads Redis' clock along with its own commands.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{FromRedisValue, Pipeline, Value};

use crate::clock::Clock;
use crate::session::{Lifetimes, SessionId, StoreError};
use crate::store::redis::connection::RedisClient;
use crate::store::redis::connection::reply::read;
use crate::store::redis::sessions::known_sessions::{KnownSession, KnownSessions};
use crate::store::redis::sessions::server_time::ServerTime;

/// Keeps sessions in Redis 6.2 or later, or Valkey, in the layout of the tutorial: a hash `session:{id}` that expires.
///
/// The sorted set `user_sessions:{user}` lists the ids of a user's sessions by the time of their creation, and the
/// string `ended_session:{id}` keeps for the idle timeout why a session was ended.
/// A touch is `HGETALL` and `EXPIRE` in one pipeline: neither can make a key, so a session that is deleted
/// in between stays deleted.
///
/// A session's age is measured by Redis' clock, so that instances whose own clocks differ agree about it to a second or
/// two: the script that writes a session dates it, and every 30 seconds a request sends `TIME` along with its own
/// commands.
///
/// Calls set no deadline of their own: [`Sessions`](crate::Sessions) does.
#[derive(Clone, Debug)]
pub struct RedisStore {
    pub(crate) client: Arc<RedisClient>,
    pub(super) lifetimes: Lifetimes,
    pub(super) clock: Clock,
    pub(super) server_time: Arc<ServerTime>,
    pub(super) known: Arc<KnownSessions>,
}

impl RedisStore {
    pub(crate) fn new(client: Arc<RedisClient>, lifetimes: Lifetimes, clock: Clock) -> Self {
        Self {
            client,
            lifetimes,
            clock,
            server_time: Arc::default(),
            known: Arc::default(),
        }
    }

    /// A session that this process has seen, so that it knows the names of its keys, where one server has all of them: in a
    /// cluster they are on different nodes.
    pub(super) fn known_on_one_server(&self, id: &SessionId) -> Option<KnownSession> {
        self.known.get(id).filter(|_| !self.client.is_cluster())
    }

    /// The expiry that a touch sets before it knows the session's age.
    pub(super) fn max_expiry(&self) -> Duration {
        let Lifetimes { idle, absolute } = self.lifetimes;
        absolute.map_or(idle, |absolute| absolute.min(idle))
    }

    /// How long a user's list is kept: at least as long as its youngest session can live.
    pub(super) fn list_expiry(&self) -> Duration {
        let Lifetimes { idle, absolute } = self.lifetimes;
        absolute.map_or(idle, |absolute| absolute.max(idle))
    }

    /// Sends commands of one key in one round trip, followed by `TIME` if [`ServerTime`] is due for it.
    pub(super) async fn query_with_time<T: FromRedisValue>(
        &self,
        commands: &mut Pipeline,
    ) -> Result<T, StoreError> {
        read(self.send_with_time(commands).await?)
    }

    /// The same, but returns the answer to each command, errors included.
    pub(super) async fn send_with_time(
        &self,
        commands: &mut Pipeline,
    ) -> Result<Vec<Value>, StoreError> {
        let sent_at = self.clock.now();
        if !self.server_time.is_due(sent_at) {
            return self.client.send(commands).await;
        }
        let mut answers = self.client.send(commands.cmd("TIME")).await?;
        let (time,) = read(answers.pop().into_iter().collect())?;
        self.server_time.set(time, sent_at, self.clock.now());
        Ok(answers)
    }
}
