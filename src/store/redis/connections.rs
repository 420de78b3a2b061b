//! The pool, and the time that one call may spend on it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, Pool, QueueMode, RecycleError, RecycleResult};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionInfo, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ServerErrorKind,
};
use deadpool_redis::{Manager, Runtime};
use tokio::time::timeout;

use super::AddressError;
use crate::session::StoreError;

/// The most connections of one instance.
const MOST: usize = 4;

/// Connections that requests share: each takes a handle, gives the connection back at once, and sends its
/// commands beside those of others.
///
/// Lending a connection to one request at a time would cost a check before each loan and let requests wait
/// for one another over a distant network.
pub(super) struct Connections {
    pool: Pool<Shared>,
    budget: Duration,
}

impl fmt::Debug for Connections {
    // The pool's own output would show the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn to(info: ConnectionInfo, budget: Duration) -> Result<Self, AddressError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(budget))
            .set_response_timeout(Some(budget));
        let manager =
            Manager::new_with_config(info, config).map_err(|_| AddressError::Unreadable)?;
        let pool = Pool::builder(Shared(manager))
            .max_size(MOST)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| AddressError::Unreadable)?;
        Ok(Self { pool, budget })
    }

    /// Runs commands within the budget; once more, on another connection, if the first was lost.
    ///
    /// The commands must be such that doing them twice is as good as once: a lost reply does not tell whether
    /// they were done.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        let tries = async {
            match self.once(commands).await {
                Err(error) if is_lost(&error) => self.once(commands).await,
                outcome => outcome,
            }
        };
        match timeout(self.budget, tries).await {
            Ok(outcome) => outcome.map_err(|error| StoreError::Failed(describe(&error))),
            Err(_) => Err(StoreError::Timeout(self.budget)),
        }
    }

    async fn once<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        let (mut connection, health) = {
            let shared = self.pool.get().await.map_err(into_redis_error)?;
            (shared.connection.clone(), Arc::clone(&shared.health))
        };
        // Set until an answer came: a call that runs out of time is dropped here and cannot report.
        let verdict = Verdict(&health, true);
        let outcome = commands.query_async(&mut connection).await;
        verdict.settle(matches!(&outcome, Err(error) if is_unhealthy(error)));
        outcome
    }
}

/// Marks a connection as broken unless it is settled otherwise.
struct Verdict<'a>(&'a AtomicBool, bool);

impl Verdict<'_> {
    fn settle(mut self, broken: bool) {
        self.1 = broken;
    }
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// deadpool-redis' manager, whose check before each loan (`UNWATCH`, `PING`) would double the round trips.
struct Shared(Manager);

struct SharedConnection {
    connection: MultiplexedConnection,
    health: Arc<AtomicBool>,
}

impl managed::Manager for Shared {
    type Type = SharedConnection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<SharedConnection> {
        Ok(SharedConnection {
            connection: self.0.create().await?,
            health: Arc::default(),
        })
    }

    async fn recycle(
        &self,
        shared: &mut SharedConnection,
        _: &Metrics,
    ) -> RecycleResult<RedisError> {
        if shared.health.load(Ordering::Relaxed) {
            return Err(RecycleError::message("an answer did not come"));
        }
        Ok(())
    }
}

fn into_redis_error(error: managed::PoolError<RedisError>) -> RedisError {
    if let managed::PoolError::Backend(error) = error {
        return error;
    }
    RedisError::from((ErrorKind::Client, "no connection from the pool"))
}

/// The connection broke: another one may work at once.
fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_connection_refusal()
}

/// The connection leads to a server that is gone, starting, or no longer the primary.
fn is_unhealthy(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                    | ServerErrorKind::BusyLoading
                    | ServerErrorKind::MasterDown
            )
        )
}

/// For the log. A server's own sentence may quote the command, and with it an id: only its code is kept.
fn describe(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("Redis answered {code}"),
        None if error.is_io_error() => error.to_string(),
        None => error.category().to_owned(),
    }
}
