//! The servers one by one, for questions that are about no key.

use std::sync::Arc;

use deadpool_redis::redis::cluster_routing::{
    MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo,
};
use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, Value, cmd};

use super::answers::read;
use super::connections::Connections;
use super::faults::into_store_error;
use super::link::Link;
use super::share::Share;
use crate::session::StoreError;

/// A server that holds sessions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// There is one.
    Only,
    /// One of a cluster's primaries.
    Primary { host: String, port: u16 },
}

impl Node {
    fn parse(address: &[u8]) -> Option<Self> {
        let (host, port) = str::from_utf8(address).ok()?.rsplit_once(':')?;
        Some(Self::Primary {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }

    /// Host and port, where there are several.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Only => None,
            Self::Primary { host, port } => Some(format!("{host}:{port}")),
        }
    }
}

fn unreadable() -> StoreError {
    StoreError::Failed("the cluster does not say which primaries it has".to_owned())
}

impl Connections {
    /// All of them, in the order of their names.
    pub(super) async fn nodes(self: &Arc<Self>) -> Result<Vec<Node>, StoreError> {
        let Share { link, .. } = self.share().await.map_err(into_store_error)?;
        let Link::Cluster(mut cluster) = link else {
            return Ok(vec![Node::Only]);
        };
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        // What they answer does not matter, only who does.
        let answers = cluster.route_command(cmd("TIME"), all).await;
        let Value::Map(answers) = answers.map_err(into_store_error)? else {
            return Err(unreadable());
        };
        let mut nodes: Vec<_> = answers
            .iter()
            .map(|(name, _)| {
                if let Value::BulkString(address) = name {
                    Node::parse(address)
                } else {
                    None
                }
            })
            .collect::<Option<_>>()
            .ok_or_else(unreadable)?;
        nodes.sort();
        Ok(nodes)
    }

    /// Asks one of them.
    pub(super) async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        node: &Node,
        question: &Cmd,
    ) -> Result<T, StoreError> {
        let Share { mut link, .. } = self.share().await.map_err(into_store_error)?;
        let answer =
            if let (Link::Cluster(cluster), Node::Primary { host, port }) = (&mut link, node) {
                let there = SingleNodeRoutingInfo::ByAddress {
                    host: host.clone(),
                    port: *port,
                };
                cluster
                    .route_command(question.clone(), RoutingInfo::SingleNode(there))
                    .await
                    .map(|answer| vec![answer])
            } else {
                let mut alone = Pipeline::with_capacity(1);
                link.send(alone.add_command(question.clone())).await
            };
        let (answer,) = read(answer.map_err(into_store_error)?)?;
        Ok(answer)
    }
}
