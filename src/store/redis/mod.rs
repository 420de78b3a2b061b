//! Sessions in Redis: shared by any number of instances, and with the tutorial's own server.

mod address;
mod connections;
mod record;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use deadpool_redis::redis::Pipeline;

pub use address::AddressError;

use self::connections::Connections;
use self::record::Fields;
use crate::config::RedisAddress;
use crate::session::{Clock, Lifetimes, Session, SessionId, SessionStore, StoreError};

/// Keeps sessions in Redis 6.2 or later, or Valkey, in the layout of the tutorial: a hash `session:{id}` that expires.
///
/// Beside it the sorted set `user_sessions:{user}` lists the user's ids by the second of their creation.
/// A touch is `HGETALL` and `EXPIRE` in one pipeline: neither can make a key, so a session that is deleted
/// in between stays deleted.
#[derive(Debug)]
pub struct RedisStore {
    connections: Connections,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl RedisStore {
    /// Prepares the pool; connects when the first request needs it.
    ///
    /// `budget` is the whole time that one call may take, retries included.
    ///
    /// # Errors
    ///
    /// The address is not one of a Redis server.
    pub fn open(
        address: &RedisAddress,
        budget: Duration,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, AddressError> {
        Ok(Self {
            connections: Connections::to(address::resolve(address)?, budget)?,
            lifetimes,
            clock,
        })
    }

    /// What a live session's expiry is set to before its age is known.
    fn longest(&self) -> Duration {
        let idle = self.lifetimes.idle;
        self.lifetimes
            .absolute
            .map_or(idle, |absolute| absolute.min(idle))
    }

    /// How long a user's list is kept after a sign-in: as long as that session can live.
    fn list_lifetime(&self) -> Duration {
        self.lifetimes.absolute.unwrap_or(self.lifetimes.idle)
    }

    /// The rest of a touch that the first round trip could not do, because it did not know the session yet.
    async fn settle(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(left) = self.lifetimes.left(session.created_at, now) else {
            self.delete(id).await?;
            return Ok(false);
        };
        let mut rest = Pipeline::new();
        if left < self.longest() {
            rest.expire(session_key(id), seconds(left)).ignore();
        }
        if self.lifetimes.absolute.is_none() {
            // Without an absolute limit a session outlives any end that its list was given at sign-in.
            rest.expire(list_key(&session.user), seconds(self.list_lifetime()))
                .ignore();
        }
        if !rest.is_empty() {
            self.connections.run::<()>(&rest).await?;
        }
        Ok(true)
    }

    async fn user_of(&self, id: &SessionId) -> Result<Option<String>, StoreError> {
        let (user,) = self
            .connections
            .run(Pipeline::new().hget(session_key(id), record::USER))
            .await?;
        Ok(user)
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(
        &self,
        id: &SessionId,
        session: &Session,
        replaced: Option<&SessionId>,
    ) -> Result<(), StoreError> {
        let left = self
            .lifetimes
            .left(session.created_at, self.clock.now())
            .unwrap_or_default();
        let born = session.created_at.map_or(0, unix_seconds);
        let mut transaction = Pipeline::new();
        transaction
            .atomic()
            .hset_multiple(session_key(id), &record::pairs(session))
            .ignore()
            .expire(session_key(id), seconds(left))
            .ignore()
            .zadd(list_key(&session.user), id.to_string(), born)
            .ignore()
            .expire(list_key(&session.user), seconds(self.list_lifetime()))
            .ignore();
        if let Some(replaced) = replaced {
            let user = self.user_of(replaced).await?;
            remove(&mut transaction, replaced, user.as_deref());
        }
        self.connections.run(&transaction).await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let now = self.clock.now();
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline
            .hgetall(session_key(id))
            .expire(session_key(id), seconds(self.longest()));
        let (fields, slid): (Fields, bool) = self.connections.run(&pipeline).await?;
        let Some(session) = record::session(fields).filter(|_| slid) else {
            return Ok(None);
        };
        let alive = self.settle(id, &session, now).await?;
        Ok(alive.then_some(session))
    }

    async fn delete(&self, id: &SessionId) -> Result<(), StoreError> {
        let user = self.user_of(id).await?;
        // No transaction: with full memory Redis refuses every command inside one, and signing out must go on.
        let mut pipeline = Pipeline::new();
        remove(&mut pipeline, id, user.as_deref());
        self.connections.run(&pipeline).await
    }
}

fn remove(pipeline: &mut Pipeline, id: &SessionId, user: Option<&str>) {
    pipeline.del(session_key(id)).ignore();
    if let Some(user) = user {
        pipeline.zrem(list_key(user), id.to_string()).ignore();
    }
}

fn session_key(id: &SessionId) -> String {
    format!("session:{id}")
}

fn list_key(user: &str) -> String {
    format!("user_sessions:{user}")
}

/// Whole seconds, rounded up: `EXPIRE key 0` would delete.
fn seconds(duration: Duration) -> i64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i64::try_from(whole).unwrap_or(i64::MAX).max(1)
}

fn unix_seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
