//! A look through all sessions, for an operator.

use deadpool_redis::redis::{Cmd, cmd};

use super::RedisStore;
use super::answers::owner;
use super::layout::{id_in, session_key};
use super::list::Removed;
use super::nodes::Node;
use crate::session::{Ending, Handle, SessionId, StoreError};

/// How many keys Redis looks at in one step, which it does not interrupt for others.
const AT_ONCE: usize = 1000;

impl RedisStore {
    pub(super) async fn do_end_handle(
        &self,
        handle: Handle,
        why: &Ending,
    ) -> Result<Option<String>, StoreError> {
        match self.find(handle).await? {
            Some(id) => {
                let end = self.end_found(&id, why);
                self.connections.within_budget(end).await
            }
            None => Ok(None),
        }
    }

    pub(super) async fn do_restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        for node in self.all_nodes().await? {
            let mut cursor = Some(0);
            while let Some(position) = cursor {
                let (next, ids) = self.step(&node, position).await?;
                let restore = self.restore(users, ids);
                self.connections.within_budget(restore).await?;
                cursor = next;
            }
        }
        Ok(())
    }

    /// Lists those of the sessions that are these users'.
    async fn restore(&self, users: &[String], ids: Vec<SessionId>) -> Result<(), StoreError> {
        let look = ids
            .iter()
            .map(|id| vec![Cmd::hget(session_key(id), super::record::USER)]);
        let owners = self.ask_apart(look.collect()).await?;
        for (id, answers) in ids.iter().zip(owners) {
            let owner = owner(answers?)?;
            if let Some(user) = users.iter().find(|user| owner.as_ref() == Some(user)) {
                self.enlist(id, user).await?;
            }
        }
        Ok(())
    }

    async fn find(&self, handle: Handle) -> Result<Option<SessionId>, StoreError> {
        for node in self.all_nodes().await? {
            let mut cursor = Some(0);
            while let Some(position) = cursor {
                let (next, ids) = self.step(&node, position).await?;
                let mut ids = ids.into_iter();
                if let Some(id) = ids.find(|id| Handle::from(id) == handle) {
                    return Ok(Some(id));
                }
                cursor = next;
            }
        }
        Ok(None)
    }

    async fn all_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let nodes = self.connections.nodes();
        self.connections.within_budget(nodes).await
    }

    /// Some of a node's sessions, and where the next ones are. By `SCAN`: unlike `KEYS` it lets others go on meanwhile.
    async fn step(
        &self,
        node: &Node,
        cursor: u64,
    ) -> Result<(Option<u64>, Vec<SessionId>), StoreError> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg("session:*");
        scan.arg("COUNT").arg(AT_ONCE);
        let step = self.connections.ask(node, &scan);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.connections.within_budget(step).await?;
        let ids = keys.iter().filter_map(|key| id_in(key));
        Ok(((next != 0).then_some(next), ids.collect()))
    }

    async fn end_found(&self, id: &SessionId, why: &Ending) -> Result<Option<String>, StoreError> {
        let Some(live) = self.do_peek(id).await? else {
            return Ok(None);
        };
        let user = live.session.user;
        let why = why.of(&user);
        let Removed { failure, .. } = self.remove(&user, &[*id], Some(&why)).await?;
        failure.map_or(Ok(Some(user)), Err)
    }
}
