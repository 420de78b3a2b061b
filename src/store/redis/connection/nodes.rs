//! The servers one by one, for questions that are about no key.

use std::sync::Arc;

use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline};

use crate::session::StoreError;
use crate::store::redis::connection::cluster::slots::NodeAddress;
use crate::store::redis::connection::error::into_store_error;
use crate::store::redis::connection::reply::read;
use crate::store::redis::connection::{RedisClient, Servers};

/// A server that has keys: one of a cluster's primaries, or `None` for the only one that there is.
pub(crate) type Node = Option<NodeAddress>;

impl RedisClient {
    /// All servers, in the order of their names.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.fail_if_unavailable()?;
        match &self.servers {
            Servers::Standalone(pool) => {
                // So that a failure to connect is not taken for the answer to the question that comes next.
                pool.connect().await.map_err(into_store_error)?;
                Ok(vec![None])
            }
            Servers::Cluster(cluster) => {
                let addresses = cluster.addresses().await.map_err(into_store_error)?;
                Ok(addresses.into_iter().map(Some).collect())
            }
        }
    }

    /// Asks one of them, in the time that a request has.
    pub(crate) async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        node: &Node,
        question: &Cmd,
    ) -> Result<T, StoreError> {
        self.fail_if_unavailable()?;
        let mut alone = Pipeline::with_capacity(1);
        alone.add_command(question.clone());
        let attempt = self.attempt(node.as_ref(), &alone);
        let (answer,) = read(self.with_timeout(attempt).await?)?;
        Ok(answer)
    }

    /// The same; the inner error is what the server answered instead.
    pub(crate) async fn try_ask<T: FromRedisValue>(
        self: &Arc<Self>,
        node: &Node,
        question: &Cmd,
    ) -> Result<Result<T, String>, StoreError> {
        match self.ask(node, question).await {
            // Without a password a server answers nothing at all.
            Err(StoreError::Failed(problem)) if problem.contains("NOAUTH") => {
                Err(StoreError::Unreachable(problem))
            }
            Err(StoreError::Failed(problem)) => Ok(Err(problem)),
            outcome => outcome.map(Ok),
        }
    }
}
