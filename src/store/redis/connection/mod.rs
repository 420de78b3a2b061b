//! The connections, and how commands are sent over them.

pub(in crate::store::redis) mod address;
pub(in crate::store::redis) mod budget;
pub(in crate::store::redis) mod circuit_breaker;
pub(in crate::store::redis) mod cluster;
pub(in crate::store::redis) mod error;
pub(in crate::store::redis) mod nodes;
pub(in crate::store::redis) mod pool;
pub(in crate::store::redis) mod reply;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, RedisResult, Value};
use futures_util::future::{FutureExt, select_ok, try_join_all};

use self::address::Server;
use self::circuit_breaker::Breaker;
use self::cluster::Cluster;
use self::error::into_store_error;
use self::pool::SharedPool;
use self::pool::connector::Connector;
use self::reply::read;
use crate::session::{ConnectionCount, SessionId, StoreError};
use crate::store::redis::AddressError;
use crate::store::redis::keys::session_key;
use crate::store::redis::sessions::record::Fields;

/// How long a connection may take to be made, TLS and password included; no request waits that long.
const CONNECTING: Duration = Duration::from_secs(5);

/// How many keys a cluster is asked about at once to find one of a node that serves: of three nodes two may be silent.
const CLUSTER_PROBES: usize = 8;

/// Whom commands are sent to, and whether anybody is there.
pub(super) struct Connections {
    pub(super) to: Topology,
    budget: Duration,
    pub(super) breaker: Breaker,
}

pub(super) enum Topology {
    /// One server, or the primary that Sentinels name.
    Standalone(Arc<SharedPool>),
    Cluster(Arc<Cluster>),
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
    /// `connections`: how many to one server; in a cluster there is one to each node.
    pub(super) fn to(
        server: Server,
        connections: usize,
        budget: Duration,
    ) -> Result<Self, AddressError> {
        let to = Topology::of(server, connections, budget).map_err(|_| AddressError::Unreadable)?;
        Ok(Self {
            to,
            budget,
            breaker: Breaker::new(),
        })
    }

    /// The whole time that one call may take.
    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    pub(super) fn count(&self) -> ConnectionCount {
        match &self.to {
            Topology::Standalone(pool) => pool.count(),
            Topology::Cluster(cluster) => cluster.count(),
        }
    }

    /// Asks whether sessions could be used, as a request does: reads and renews one that does not exist.
    ///
    /// A `PING` is answered by a replica and by a server that must not write, too; and a replica that has lost its
    /// primary refuses to read, and says only to a write that it is a replica. In a cluster it is enough that one node
    /// serves: an instance that is taken out for the sake of the others' sessions would help nobody.
    pub(super) async fn probe(self: &Arc<Self>) -> Result<(), StoreError> {
        let questions = if self.is_cluster() { CLUSTER_PROBES } else { 1 };
        let probes = (0..questions).map(|_| self.probe_one().boxed());
        select_ok(probes).await.map(drop)
    }

    async fn probe_one(self: &Arc<Self>) -> Result<(), StoreError> {
        let nobody = session_key(&SessionId::generate());
        let mut touch = Pipeline::with_capacity(2);
        let (_, ()): (Fields, ()) = self.run(touch.hgetall(&nobody).expire(&nobody, 1)).await?;
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
        matches!(self.to, Topology::Cluster(_))
    }

    /// Whether one silent or lost node says nothing of the whole, because another one is well.
    pub(super) fn some_node_is_well(&self) -> bool {
        match &self.to {
            Topology::Standalone(_) => false,
            Topology::Cluster(cluster) => cluster.some_node_is_well(),
        }
    }

    /// Sends commands in one piece; once more, on another connection, if the first was lost.
    ///
    /// The commands must be such that doing them twice is as good as once: a lost reply does not tell whether
    /// they were done.
    pub(super) async fn send(
        self: &Arc<Self>,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, StoreError> {
        let outcome = match &self.to {
            Topology::Standalone(pool) => pool.send(commands).await,
            Topology::Cluster(cluster) => cluster.send(commands).await,
        };
        outcome.map_err(into_store_error)
    }
}

impl Topology {
    fn of(server: Server, connections: usize, budget: Duration) -> RedisResult<Self> {
        // An answer that takes longer than this is one that does not come.
        let patience = budget / 2;
        let connector = match server {
            Server::One(info) => Connector::to_server(info, CONNECTING)?,
            Server::Sentinel(sentinels) => Connector::to_primary(sentinels, CONNECTING)?,
            Server::Cluster(nodes) => return Ok(Self::Cluster(Cluster::new(&nodes, patience)?)),
        };
        let pool = SharedPool::new(connector, connections, CONNECTING, patience)?;
        Ok(Self::Standalone(pool))
    }
}
