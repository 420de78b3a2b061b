//! The pool, and the time that one call may spend on it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Pool, QueueMode, RecycleError, RecycleResult};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionInfo, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ServerErrorKind,
};
use deadpool_redis::{Manager, Runtime};
use tokio::time::{Instant, timeout};

use super::AddressError;
use crate::session::StoreError;

/// The most connections of one instance.
const MOST: usize = 4;

/// How long a connection may take to be made, TLS and password included; no request waits that long.
const CONNECTING: Duration = Duration::from_secs(5);

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
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(budget));
        let manager =
            Manager::new_with_config(info, config).map_err(|_| AddressError::Unreadable)?;
        let pool = Pool::builder(Shared(manager))
            .max_size(MOST)
            .wait_timeout(Some(CONNECTING))
            .create_timeout(Some(CONNECTING))
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| AddressError::Unreadable)?;
        Ok(Self { pool, budget })
    }

    /// Gives the whole of a store's operation, however many round trips it has, no more than the budget.
    pub(super) async fn within_budget<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.budget, operation)
            .await
            .unwrap_or(Err(StoreError::Timeout(self.budget)))
    }

    /// Runs commands in one round trip; once more, on a new connection, if the first was lost.
    ///
    /// The commands must be such that doing them twice is as good as once: a lost reply does not tell whether
    /// they were done.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        let outcome = match self.once(commands).await {
            Err(error) if is_lost(&error) => {
                // The others lead to the same server, and what ended this one may have ended them.
                self.pool.retain(|_, _| false);
                self.once(commands).await
            }
            outcome => outcome,
        };
        outcome.map_err(|error| StoreError::Failed(describe(error)))
    }

    async fn once<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        let (mut connection, broken) = self.handle().await?;
        let asked = Asked {
            at: Instant::now(),
            patience: self.budget / 2,
            broken: &broken,
        };
        let outcome = commands.query_async(&mut connection).await;
        asked.answered(matches!(&outcome, Err(error) if is_unhealthy(error)));
        outcome
    }

    /// A handle to a connection, which is back in the pool already.
    ///
    /// A connection that has to be made is made by a task of its own: over a distant network that may take longer
    /// than this request can wait, and the next one should find it ready.
    async fn handle(&self) -> RedisResult<(MultiplexedConnection, Arc<AtomicBool>)> {
        let pool = self.pool.clone();
        let mut get = Box::pin(async move {
            let shared = pool.get().await.map_err(into_redis_error)?;
            Ok((shared.connection.clone(), Arc::clone(&shared.broken)))
        });
        if let Poll::Ready(ready) = poll_fn(|context| Poll::Ready(get.as_mut().poll(context))).await
        {
            return ready;
        }
        tokio::spawn(get)
            .await
            .unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Client, "connecting panicked"))))
    }
}

/// A request on its way. One that runs out of time is dropped, and then judges its connection: a silence of half the
/// budget breaks it. (A shorter one may be the rest of a budget that making the connection has used up.)
struct Asked<'a> {
    at: Instant,
    patience: Duration,
    broken: &'a AtomicBool,
}

impl Asked<'_> {
    fn answered(self, broken: bool) {
        if broken {
            self.broken.store(true, Ordering::Relaxed);
        }
        std::mem::forget(self);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.at.elapsed() >= self.patience {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// deadpool-redis' manager, whose check before each loan (`UNWATCH`, `PING`) would double the round trips.
struct Shared(Manager);

struct SharedConnection {
    connection: MultiplexedConnection,
    broken: Arc<AtomicBool>,
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
fn describe(error: RedisError) -> String {
    if error.is_io_error() {
        return error.to_string();
    }
    let category = error.category().to_owned();
    match error.into_server_errors().as_deref() {
        Some([(_, first), ..]) => format!("Redis answered {}", first.code()),
        _ => category,
    }
}
