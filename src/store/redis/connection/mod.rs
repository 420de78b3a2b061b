//! How commands reach Redis, and what happens while it does not answer. Nothing here knows of sessions.

pub(crate) mod address;
pub(crate) mod circuit_breaker;
pub(crate) mod cluster;
pub(crate) mod error;
pub(crate) mod micros;
pub(crate) mod nodes;
pub(crate) mod pool;
pub(crate) mod reply;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, Value};
use futures_util::future::{FutureExt, select_ok, try_join_all};
use tokio::time::{sleep, timeout};

use self::address::{AddressError, Topology};
use self::circuit_breaker::CircuitBreaker;
use self::cluster::Cluster;
use self::cluster::slots::NodeAddress;
use self::error::into_store_error;
use self::pool::SharedPool;
use self::pool::connection::{Repeat, RoundTrip};
use self::pool::connector::Connector;
use self::reply::read;
use crate::session::{ConnectionCount, StoreError};

/// How long connecting may take, TLS and password included; no request waits that long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many random keys a cluster is probed with at once, so that one meets a node that serves even if two of three do
/// not.
const CLUSTER_PROBES: usize = 8;

/// How often an unavailable server is probed.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// Sends commands to Redis. While the circuit breaker is open they fail at once.
///
/// Queries have no timeout: a caller that cannot wait any longer drops them, and [`RoundTrip`] then decides whether
/// that counts as a failure.
pub(crate) struct RedisClient {
    servers: Servers,
    timeout: Duration,
    breaker: CircuitBreaker,
    probe_key: fn() -> String,
}

enum Servers {
    /// One server, or the primary that Sentinels name.
    Standalone(Arc<SharedPool>),
    Cluster(Arc<Cluster>),
}

impl fmt::Debug for RedisClient {
    // The pool's own `Debug` would show the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisClient")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl RedisClient {
    /// `connections`: their number; in a cluster there is one to each node.
    /// `timeout`: how long a request waits for Redis in all.
    /// `probe_key`: makes the name of an unused key, of the kind that requests use, and a new one each time.
    pub(crate) fn new(
        topology: Topology,
        connections: usize,
        timeout: Duration,
        probe_key: fn() -> String,
    ) -> Result<Arc<Self>, AddressError> {
        // A connection that is silent for longer counts as broken.
        let answer_timeout = timeout / 2;
        let pool =
            |connector| SharedPool::new(connector, connections, CONNECT_TIMEOUT, answer_timeout);
        let servers = match topology {
            Topology::Standalone(server) => Connector::new(server, CONNECT_TIMEOUT, true)
                .and_then(pool)
                .map(Servers::Standalone),
            Topology::Sentinel(sentinels) => Connector::with_sentinels(sentinels, CONNECT_TIMEOUT)
                .and_then(pool)
                .map(Servers::Standalone),
            Topology::Cluster(nodes) => {
                Cluster::new(&nodes, answer_timeout, probe_key).map(Servers::Cluster)
            }
        };
        Ok(Arc::new(Self {
            servers: servers.map_err(|_| AddressError::Unreadable)?,
            timeout,
            breaker: CircuitBreaker::default(),
            probe_key,
        }))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Limits background work, which has no request's deadline, to as long as a request waits.
    pub(crate) async fn with_timeout<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let outcome = timeout(self.timeout, work).await;
        outcome.unwrap_or(Err(StoreError::Timeout(self.timeout)))
    }

    pub(crate) fn count(&self) -> ConnectionCount {
        match &self.servers {
            Servers::Standalone(pool) => pool.count(),
            Servers::Cluster(cluster) => cluster.count(),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    /// Whether the circuit breaker is open.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.breaker.is_open()
    }

    /// Checks that the server can be used, with the commands of a touch on a key that does not exist.
    ///
    /// A replica, and a server that cannot write, answer `PING` too; and a replica that has lost its primary refuses
    /// reads without saying that it is a replica, which it says only to a write. In a cluster it is enough that one
    /// node serves: taking this instance out of service would not help the users whose keys are on the other nodes.
    pub(crate) async fn check(self: &Arc<Self>) -> Result<(), StoreError> {
        self.fail_if_unavailable()?;
        self.probe().await
    }

    async fn probe(self: &Arc<Self>) -> Result<(), StoreError> {
        let probes = if self.is_cluster() { CLUSTER_PROBES } else { 1 };
        let probes = (0..probes).map(|_| {
            let key = (self.probe_key)();
            let mut touch = Pipeline::with_capacity(2);
            touch.hgetall(&key).expire(&key, 1);
            async move {
                let answers = self.attempt(None, &touch, Repeat::IfLost);
                read::<(Value, Value)>(answers.await?)
            }
            .boxed()
        });
        select_ok(probes).await.map(drop)
    }

    /// Sends commands of one key in one round trip; an error among the answers is the error of all.
    pub(crate) async fn query<T: FromRedisValue>(
        self: &Arc<Self>,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        read(self.send(commands).await?)
    }

    /// Sends a single command.
    pub(crate) async fn query_one<T: FromRedisValue>(
        self: &Arc<Self>,
        command: Cmd,
    ) -> Result<T, StoreError> {
        let mut alone = Pipeline::with_capacity(1);
        let (answer,) = self.query(alone.add_command(command)).await?;
        Ok(answer)
    }

    /// Sends a single command that must not be executed twice: if its reply is lost, that is an error.
    pub(crate) async fn query_once<T: FromRedisValue>(
        self: &Arc<Self>,
        command: Cmd,
    ) -> Result<T, StoreError> {
        self.fail_if_unavailable()?;
        let mut alone = Pipeline::with_capacity(1);
        alone.add_command(command);
        let answers = self.attempt(None, &alone, Repeat::Never);
        let (answer,) = read(answers.await?)?;
        Ok(answer)
    }

    /// Sends commands of one key in one round trip, and returns the answer to each, errors included.
    ///
    /// If the connection is lost, they are sent once more on another one. So the commands must be idempotent: a lost
    /// reply does not tell whether they were executed.
    pub(crate) async fn send(
        self: &Arc<Self>,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, StoreError> {
        self.fail_if_unavailable()?;
        self.attempt(None, commands, Repeat::IfLost).await
    }

    /// Sends commands of one key each, and returns the answer to each, errors included.
    ///
    /// The commands of a stage are executed after those of the stages before. One round trip, or in a cluster one for
    /// each stage.
    pub(crate) async fn pipeline<const STAGES: usize>(
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
                let mut alone = Pipeline::with_capacity(1);
                self.send(alone.add_command(command)).await
            });
            answers.extend(try_join_all(stage).await?.into_iter().flatten());
        }
        Ok(answers)
    }

    fn fail_if_unavailable(&self) -> Result<(), StoreError> {
        if self.is_unavailable() {
            let reason = "it has not answered lately".to_owned();
            return Err(StoreError::Unreachable(reason));
        }
        Ok(())
    }

    /// Sends commands to `node` of a cluster, or if that is `None` to the server that has their key, and reports the
    /// outcome to the circuit breaker.
    async fn attempt(
        self: &Arc<Self>,
        node: Option<&NodeAddress>,
        commands: &Pipeline,
        repeat: Repeat,
    ) -> Result<Vec<Value>, StoreError> {
        let on_failure = |started_at| self.record_failure(started_at);
        let mut round_trip =
            RoundTrip::new(self.timeout / 2, Some(&on_failure)).with_repeat(repeat);
        let outcome = match (&self.servers, node) {
            (Servers::Standalone(pool), _) => pool.send(commands, &mut round_trip).await,
            (Servers::Cluster(cluster), None) => cluster.send(commands, &mut round_trip).await,
            (Servers::Cluster(cluster), Some(node)) => {
                cluster.send_to(node, commands, &mut round_trip).await
            }
        };
        if round_trip.settle(&outcome) {
            self.breaker.record_answer();
        }
        outcome.map_err(into_store_error)
    }

    /// A round trip that started at `started_at` found no server. As long as one node of a cluster is healthy, that
    /// does not count.
    fn record_failure(self: &Arc<Self>, started_at: Instant) {
        let has_healthy_node = match &self.servers {
            Servers::Standalone(_) => false,
            Servers::Cluster(cluster) => cluster.has_healthy_node(),
        };
        if !has_healthy_node && self.breaker.record_failure(started_at) {
            tracing::error!("Redis is unavailable: requests are not kept waiting for it");
            tokio::spawn(probe_until_available(Arc::downgrade(self)));
        }
    }
}

/// While the breaker is open requests fail at once, so only these probes connect.
async fn probe_until_available(client: Weak<RedisClient>) {
    let closing = CloseOnDrop(Weak::clone(&client));
    loop {
        sleep(PROBE_EVERY).await;
        let Some(client) = client.upgrade() else {
            return;
        };
        let answer = client.with_timeout(client.probe()).await;
        if matches!(answer, Ok(()) | Err(StoreError::Failed(_))) {
            drop(closing);
            tracing::info!("Redis is available again");
            return;
        }
    }
}

/// Closes the breaker when probing ends, even because its runtime does: requests must then try again.
struct CloseOnDrop(Weak<RedisClient>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(client) = self.0.upgrade() {
            client.breaker.close();
        }
    }
}
