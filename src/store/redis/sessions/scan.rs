//! A walk over all keys that sessions have, on all servers.

use deadpool_redis::redis::{Pipeline, cmd};

use crate::session::{SessionId, StoreError};
use crate::store::redis::RedisStore;
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::keys::{id_in, session_key};

/// How many keys Redis looks at in one step, which it does not interrupt for others.
const AT_ONCE: usize = 1000;

/// A walk by `SCAN`, which unlike `KEYS` lets others go on between its steps.
///
/// A server that does not answer is left out, so that the others are seen all the same; [`finish`](Self::finish) tells
/// of it.
pub(in crate::store::redis) struct Scan<'a> {
    store: &'a RedisStore,
    /// Those that are still to come, and behind them the one under way with the cursor that it gave.
    nodes: Vec<(Node, u64)>,
    failure: Option<StoreError>,
}

impl RedisStore {
    pub(in crate::store::redis) async fn scan(&self) -> Result<Scan<'_>, StoreError> {
        let nodes = self.connections.nodes();
        let nodes = self.connections.within_budget(nodes).await?;
        // What is read of the sessions is dated by Redis' clock. Where that does not answer, the walk tells of it.
        let nobody = session_key(&SessionId::generate());
        let mut any = Pipeline::with_capacity(2);
        let asked = self.run_dated::<(bool,)>(any.exists(nobody));
        drop(self.connections.within_budget(asked).await);
        Ok(Scan {
            store: self,
            nodes: nodes.into_iter().rev().map(|node| (node, 0)).collect(),
            failure: None,
        })
    }
}

impl Scan<'_> {
    /// The next ids, perhaps none this time and perhaps some for a second time; `None` at the end.
    pub(in crate::store::redis) async fn next(&mut self) -> Option<Vec<SessionId>> {
        while let Some((node, cursor)) = self.nodes.pop() {
            match self.step(&node, cursor).await {
                Ok((next, ids)) => {
                    if next != 0 {
                        self.nodes.push((node, next));
                    }
                    return Some(ids);
                }
                Err(error) => self.note(error),
            }
        }
        None
    }

    async fn step(&self, node: &Node, cursor: u64) -> Result<(u64, Vec<SessionId>), StoreError> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg("session:*");
        scan.arg("COUNT").arg(AT_ONCE);
        let connections = &self.store.connections;
        let step = connections.ask(node, &scan);
        let (next, keys): (u64, Vec<Vec<u8>>) = connections.within_budget(step).await?;
        Ok((next, keys.iter().filter_map(|key| id_in(key)).collect()))
    }

    /// Something went wrong with what the last step found: its server is left out from here on.
    pub(in crate::store::redis) fn give_up(&mut self, error: StoreError) {
        // A server whose walk has begun stands last, with a cursor.
        self.nodes.pop_if(|(_, cursor)| *cursor != 0);
        self.note(error);
    }

    fn note(&mut self, error: StoreError) {
        self.failure.get_or_insert(error);
    }

    /// Fails where a server was left out.
    pub(in crate::store::redis) fn finish(self) -> Result<(), StoreError> {
        self.failure.map_or(Ok(()), Err)
    }
}
