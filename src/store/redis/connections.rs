//! The pool, and the time that one call may spend on it.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use deadpool::managed::{self, Pool, QueueMode};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionInfo, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult,
};
use deadpool_redis::{Manager, Runtime};
use tokio::time::{Instant, sleep, timeout};

use super::AddressError;
use super::breaker::Breaker;
use super::faults::{describe, is_away, is_lost, is_unhealthy};
use super::shared::Shared;
use crate::session::StoreError;

/// The most connections of one instance.
const MOST: usize = 4;

/// How long a connection may take to be made, TLS and password included; no request waits that long.
const CONNECTING: Duration = Duration::from_secs(5);

/// How often a server that is away is looked for.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// Connections that requests share: each takes a handle, gives the connection back at once, and sends its
/// commands beside those of others.
///
/// Lending a connection to one request at a time would cost a check before each loan and let requests wait
/// for one another over a distant network.
pub(super) struct Connections {
    pool: Pool<Shared>,
    budget: Duration,
    breaker: Breaker,
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
        Ok(Self {
            pool,
            budget,
            breaker: Breaker::default(),
        })
    }

    /// Gives the whole of a store's operation, however many round trips it has, no more than the budget; and no time
    /// at all while it is known that the server does not answer.
    pub(super) async fn within_budget<T>(
        self: &Arc<Self>,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.breaker.is_open() {
            return Err(StoreError::Unreachable(
                "it has not answered lately".to_owned(),
            ));
        }
        let attempt = Attempt {
            connections: self,
            begun: Instant::now(),
        };
        let outcome = timeout(self.budget, operation)
            .await
            .unwrap_or(Err(StoreError::Timeout(self.budget)));
        attempt.settle(&outcome);
        outcome
    }

    fn failed(self: &Arc<Self>) {
        if self.breaker.failed() {
            tracing::error!(
                "outage begun: Redis does not answer, requests are not kept waiting for it"
            );
            tokio::spawn(find_again(Arc::downgrade(self)));
        }
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.run(Pipeline::new().cmd("PING").ignore()).await
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
        outcome.map_err(|error| {
            if is_away(&error) {
                StoreError::Unreachable(describe(error))
            } else {
                StoreError::Failed(describe(error))
            }
        })
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

/// An operation under way. One that is given up by its request, which began to wait before it, is judged as it is
/// dropped.
struct Attempt<'a> {
    connections: &'a Arc<Connections>,
    begun: Instant,
}

impl Attempt<'_> {
    fn settle<T>(self, outcome: &Result<T, StoreError>) {
        match outcome {
            Err(StoreError::Timeout(_) | StoreError::Unreachable(_)) => self.connections.failed(),
            Ok(_) | Err(StoreError::Failed(_) | StoreError::Unreadable(_)) => {
                self.connections.breaker.answered();
            }
        }
        std::mem::forget(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.begun.elapsed() >= self.connections.budget / 2 {
            self.connections.failed();
        }
    }
}

/// Asks until the server answers again. Alone: nobody else makes connections meanwhile.
async fn find_again(connections: Weak<Connections>) {
    loop {
        sleep(PROBE_EVERY).await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        let answer = timeout(connections.budget, connections.ping()).await;
        if matches!(answer, Ok(Ok(()) | Err(StoreError::Failed(_)))) {
            connections.breaker.close();
            tracing::info!("outage over: Redis answers again");
            return;
        }
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

fn into_redis_error(error: managed::PoolError<RedisError>) -> RedisError {
    if let managed::PoolError::Backend(error) = error {
        return error;
    }
    RedisError::from((ErrorKind::Client, "no connection from the pool"))
}
