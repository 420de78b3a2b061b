//! The connections, and how commands are sent over them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use deadpool::managed::{self, Manager, Pool, QueueMode};
use deadpool_redis::Runtime;
use deadpool_redis::redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, TlsCertificates, Value,
};
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use super::AddressError;
use super::address::Server;
use super::answers::read;
use super::breaker::Breaker;
use super::faults::{into_store_error, is_lost};
use super::layout::session_key;
use super::share::Share;
use super::shared::Shared;
use crate::session::{ConnectionCount, SessionId, StoreError};

/// The most connections of one instance.
const MOST: usize = 4;

/// How long a connection may take to be made, TLS and password included; no request waits that long.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long the connection to a cluster is given before it is made anew again.
const RENEW_EVERY: Duration = Duration::from_millis(500);

/// Connections that requests share: each takes a handle, gives the connection back at once, and sends its
/// commands beside those of others.
///
/// Lending a connection to one request at a time would cost a check before each loan and let requests wait
/// for one another over a distant network.
pub(super) struct Connections {
    pool: Pool<Shared>,
    /// The connection that requests use until it breaks: to ask the pool each time would cost a request more than
    /// to send its commands.
    current: RwLock<Option<Share>>,
    budget: Duration,
    pub(super) breaker: Breaker,
    /// Whether the connection to a cluster is being made anew at this moment.
    renewing: AtomicBool,
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
    pub(super) fn to(
        server: Server,
        authorities: Option<TlsCertificates>,
        budget: Duration,
    ) -> Result<Self, AddressError> {
        let shared = Shared::to(server, authorities, CONNECTING, budget)
            .map_err(|_| AddressError::Unreadable)?;
        // To a cluster one is as good as several: it has one to each node in it.
        let (most, breaker) = if shared.is_cluster() {
            (1, Breaker::after(budget))
        } else {
            (MOST, Breaker::after(Duration::ZERO))
        };
        let pool = Pool::builder(shared)
            .max_size(most)
            .wait_timeout(Some(CONNECTING))
            .create_timeout(Some(CONNECTING))
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| AddressError::Unreadable)?;
        Ok(Self {
            pool,
            current: RwLock::default(),
            budget,
            breaker,
            renewing: AtomicBool::default(),
        })
    }

    /// The whole time that one call may take.
    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    pub(super) fn count(&self) -> ConnectionCount {
        let status = self.pool.status();
        ConnectionCount {
            open: status.size,
            most: status.max_size,
        }
    }

    /// Asks whether sessions could be used: renews one that does not exist.
    ///
    /// A `PING` is answered by a replica and by a server that must not write, too. In a cluster each question goes
    /// to another part of it.
    pub(super) async fn probe(self: &Arc<Self>) -> Result<(), StoreError> {
        let nobody = session_key(&SessionId::generate());
        let ((),) = self.run(Pipeline::new().expire(nobody, 1)).await?;
        Ok(())
    }

    /// Runs commands of one key in one round trip; an error among the answers is the error of all.
    pub(super) async fn run<T: FromRedisValue>(
        self: &Arc<Self>,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        read(self.send(commands).await?)
    }

    /// Runs commands of one key each, and returns the answer of each, errors among them.
    ///
    /// What stands in a later stage is done after all of the earlier ones. In one round trip, or in a cluster in one
    /// for each stage.
    pub(super) async fn run_each<const STAGES: usize>(
        self: &Arc<Self>,
        stages: [Vec<Cmd>; STAGES],
    ) -> Result<Vec<Value>, StoreError> {
        if !self.is_cluster() {
            let mut all = Pipeline::new();
            for command in stages.into_iter().flatten() {
                all.add_command(command);
            }
            return self.send(&all).await;
        }
        let mut answers = Vec::new();
        for stage in stages {
            let stage = stage.into_iter().map(|command| async move {
                self.send(Pipeline::with_capacity(1).add_command(command))
                    .await
            });
            answers.extend(try_join_all(stage).await?.into_iter().flatten());
        }
        Ok(answers)
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.pool.manager().is_cluster()
    }

    /// Sends commands in one piece; once more, on a new connection, if the first was lost.
    ///
    /// The commands must be such that doing them twice is as good as once: a lost reply does not tell whether
    /// they were done.
    async fn send(self: &Arc<Self>, commands: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let outcome = match self.once(commands).await {
            Err(error) if is_lost(&error) => {
                if !self.is_cluster() {
                    // The others lead to the same server, and what ended this one may have ended them.
                    self.forget_current();
                    self.pool.retain(|_, _| false);
                }
                self.once(commands).await
            }
            outcome => outcome,
        };
        outcome.map_err(into_store_error)
    }

    async fn once(self: &Arc<Self>, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let share = self.share().await?;
        if self.is_cluster() && share.is_broken() {
            self.renew(&share);
        }
        share.send(commands, self.budget / 2).await
    }

    /// Makes the connection to a cluster anew, beside the one that there is, and puts it in its place.
    ///
    /// The client mends lost connections, but does not look for another node while one is silent.
    fn renew(self: &Arc<Self>, share: &Share) {
        if self.renewing.swap(true, Ordering::Relaxed) {
            return;
        }
        share.trust_again();
        let connections = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(Ok(fresh)) = timeout(CONNECTING, connections.pool.manager().create()).await
                && let Ok(mut place) = connections.pool.get().await
            {
                *place = fresh;
                connections.forget_current();
            }
            sleep(RENEW_EVERY).await;
            connections.renewing.store(false, Ordering::Relaxed);
        });
    }

    /// A share of a connection that is not known to be broken.
    ///
    /// One that has to be made is made by a task of its own: over a distant network that may take longer than this
    /// request can wait, and the next one should find it ready.
    pub(super) async fn share(self: &Arc<Self>) -> RedisResult<Share> {
        if let Some(share) = self.unbroken() {
            return Ok(share);
        }
        let connections = Arc::clone(self);
        let get = tokio::spawn(async move {
            let shared = connections.pool.get().await.map_err(into_redis_error)?;
            let share = Share::from(&*shared);
            *connections.place() = Some(share.clone());
            Ok(share)
        });
        get.await
            .unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Client, "connecting panicked"))))
    }

    fn unbroken(&self) -> Option<Share> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let serves = |share: &&Share| self.is_cluster() || !share.is_broken();
        current.as_ref().filter(serves).cloned()
    }

    fn forget_current(&self) {
        *self.place() = None;
    }

    fn place(&self) -> RwLockWriteGuard<'_, Option<Share>> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn into_redis_error(error: managed::PoolError<RedisError>) -> RedisError {
    if let managed::PoolError::Backend(error) = error {
        return error;
    }
    RedisError::from((ErrorKind::Client, "no connection from the pool"))
}
