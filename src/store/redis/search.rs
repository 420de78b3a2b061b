//! A look through all sessions, for an operator.

use deadpool_redis::redis::cmd;

use super::RedisStore;
use super::layout::id_in;
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

    /// By `SCAN`: unlike `KEYS` it lets others go on meanwhile.
    async fn find(&self, handle: Handle) -> Result<Option<SessionId>, StoreError> {
        let nodes = self.connections.nodes();
        for node in self.connections.within_budget(nodes).await? {
            let mut cursor = 0;
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg("session:*");
                scan.arg("COUNT").arg(AT_ONCE);
                let step = self.connections.ask(&node, &scan);
                let (next, keys): (u64, Vec<Vec<u8>>) =
                    self.connections.within_budget(step).await?;
                let mut ids = keys.iter().filter_map(|key| id_in(key));
                if let Some(id) = ids.find(|id| Handle::from(id) == handle) {
                    return Ok(Some(id));
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(None)
    }

    async fn end_found(&self, id: &SessionId, why: &Ending) -> Result<Option<String>, StoreError> {
        let Some(live) = self.do_peek(id).await? else {
            return Ok(None);
        };
        let user = live.session.user;
        self.remove(&user, &[*id], Some(why)).await?;
        Ok(Some(user))
    }
}
