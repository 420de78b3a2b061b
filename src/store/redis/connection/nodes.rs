//! The servers one by one, for questions that are about no key.

use std::sync::Arc;

use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline};

use crate::session::StoreError;
use crate::store::redis::connection::cluster::slots::NodeAddress;
use crate::store::redis::connection::error::into_store_error;
use crate::store::redis::connection::reply::read;
use crate::store::redis::connection::{Connections, Topology};

/// A server that holds sessions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store::redis) enum Node {
    /// There is one.
    Only,
    /// One of a cluster's primaries.
    Primary(NodeAddress),
}

impl Node {
    /// Host and port, where there are several.
    pub(in crate::store::redis) fn name(&self) -> Option<String> {
        match self {
            Self::Only => None,
            Self::Primary(address) => Some(address.to_string()),
        }
    }
}

impl Connections {
    /// All of them, in the order of their names.
    pub(in crate::store::redis) async fn nodes(self: &Arc<Self>) -> Result<Vec<Node>, StoreError> {
        match &self.to {
            Topology::Standalone(pool) => {
                // What keeps it from being connected to is no answer to the question that comes next.
                pool.connect().await.map_err(into_store_error)?;
                Ok(vec![Node::Only])
            }
            Topology::Cluster(cluster) => {
                let addresses = cluster.addresses().await.map_err(into_store_error)?;
                Ok(addresses.into_iter().map(Node::Primary).collect())
            }
        }
    }

    /// Asks one of them.
    pub(in crate::store::redis) async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        node: &Node,
        question: &Cmd,
    ) -> Result<T, StoreError> {
        let mut alone = Pipeline::with_capacity(1);
        alone.add_command(question.clone());
        let answer = match (&self.to, node) {
            (Topology::Cluster(cluster), Node::Primary(address)) => {
                cluster.send_to(address, &alone).await
            }
            (Topology::Cluster(cluster), Node::Only) => cluster.send(&alone).await,
            (Topology::Standalone(pool), _) => pool.send(&alone).await,
        };
        let (answer,) = read(answer.map_err(into_store_error)?)?;
        Ok(answer)
    }
}
