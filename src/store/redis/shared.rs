//! Connections that many requests use at once, and the pool's manager of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use deadpool_redis::Manager;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{RedisError, RedisResult};

/// deadpool-redis' manager, whose check before each loan (`UNWATCH`, `PING`) would double the round trips.
pub(super) struct Shared(pub(super) Manager);

pub(super) struct SharedConnection {
    pub(super) connection: MultiplexedConnection,
    /// Set by whoever got no answer; the pool then gives up the connection.
    pub(super) broken: Arc<AtomicBool>,
}

impl managed::Manager for Shared {
    type Type = SharedConnection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<SharedConnection> {
        Ok(SharedConnection {
            connection: self.0.create().await?,
            broken: Arc::default(),
        })
    }

    async fn recycle(
        &self,
        shared: &mut SharedConnection,
        _: &Metrics,
    ) -> RecycleResult<RedisError> {
        if shared.broken.load(Ordering::Relaxed) {
            return Err(RecycleError::message("an answer did not come"));
        }
        Ok(())
    }
}
