//! The servers one by one, for commands without a key.

use std::sync::Arc;

use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline};

use crate::session::StoreError;
use crate::store::redis::connection::cluster::slots::NodeAddress;
use crate::store::redis::connection::error::into_store_error;
use crate::store::redis::connection::pool::connection::Repeat;
use crate::store::redis::connection::reply::read;
use crate::store::redis::connection::{RedisClient, Servers};

/// A server that has keys: one of a cluster's primaries, or `None` for the only server.
pub(crate) type Node = Option<NodeAddress>;

impl RedisClient {
    /// All servers, in the order of their addresses.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.fail_if_unavailable()?;
        match &self.servers {
            Servers::Standalone(pool) => {
                // So that a failure to connect is not taken for the answer to the next command.
                pool.connect().await.map_err(into_store_error)?;
                Ok(vec![None])
            }
            Servers::Cluster(cluster) => {
                let addresses = cluster.addresses().await.map_err(into_store_error)?;
                Ok(addresses.into_iter().map(Some).collect())
            }
        }
    }

    /// Sends a command to one server, and waits for it as long as a request does.
    pub(crate) async fn query_node<T: FromRedisValue>(
        self: &Arc<Self>,
        node: &Node,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        self.fail_if_unavailable()?;
        let mut alone = Pipeline::with_capacity(1);
        alone.add_command(command.clone());
        let attempt = self.attempt(node.as_ref(), &alone, Repeat::IfLost);
        let (answer,) = read(self.with_timeout(attempt).await?)?;
        Ok(answer)
    }

    /// The same; the inner error is one that the server answered.
    pub(crate) async fn try_query_node<T: FromRedisValue>(
        self: &Arc<Self>,
        node: &Node,
        command: &Cmd,
    ) -> Result<Result<T, String>, StoreError> {
        match self.query_node(node, command).await {
            // Without the password a server refuses every command.
            Err(StoreError::Failed(problem)) if problem.contains("NOAUTH") => {
                Err(StoreError::Unreachable(problem))
            }
            Err(StoreError::Failed(problem)) => Ok(Err(problem)),
            outcome => outcome.map(Ok),
        }
    }
}
