//! A `SCAN` of all sessions on all servers, for an operator.

use std::collections::BTreeMap;

use deadpool_redis::redis::{Cmd, Pipeline, cmd};
use futures_util::future::join_all;

use crate::session::{ActiveSession, EndedSession, SessionHandle, SessionId, StoreError};
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::keys::{parse_session_key, session_key, unused_session_key};
use crate::store::redis::sessions::index::Removed;
use crate::store::redis::sessions::record::{USER, owner};
use crate::store::redis::sessions::store::RedisStore;

/// How many keys Redis looks at in one step, during which it serves no other client.
pub(crate) const SCAN_COUNT: usize = 1000;

/// `SCAN`, because unlike `KEYS` it serves other clients between its steps. Each step has as long as a request.
///
/// A server that does not answer is skipped, so that the sessions on the others are still seen; then
/// [`finish`](Self::finish) fails.
pub(crate) struct Scan<'a> {
    store: &'a RedisStore,
    /// The servers that remain, the current one last, each with the cursor to go on from.
    nodes: Vec<(Node, u64)>,
    failure: Option<StoreError>,
}

impl Scan<'_> {
    /// The next ids: perhaps none in this step, perhaps some again; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Vec<SessionId>> {
        while let Some((node, cursor)) = self.nodes.pop() {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("session:*");
            scan.arg("COUNT").arg(SCAN_COUNT);
            match self.store.client.query_node(&node, &scan).await {
                Ok((next, keys)) => {
                    if next != 0 {
                        self.nodes.push((node, next));
                    }
                    let keys: Vec<Vec<u8>> = keys;
                    return Some(
                        keys.iter()
                            .filter_map(|key| parse_session_key(key))
                            .collect(),
                    );
                }
                Err(error) => {
                    self.failure.get_or_insert(error);
                }
            }
        }
        None
    }

    /// The work on the last ids failed: skips the rest of their server.
    pub(crate) fn skip_server(&mut self, error: StoreError) {
        // A cursor of 0 is that of the next server: the last ids were the end of theirs.
        self.nodes.pop_if(|(_, cursor)| *cursor != 0);
        self.failure.get_or_insert(error);
    }

    /// Fails if a server was skipped.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl RedisStore {
    pub(crate) async fn scan(&self) -> Result<Scan<'_>, StoreError> {
        let nodes = self.client.with_timeout(self.client.nodes()).await?;
        // Brings `server_time` up to date, by which the sessions' ages are measured. A server that does not answer here
        // fails the scan itself.
        let mut any = Pipeline::with_capacity(2);
        let update = self.query_with_time::<(bool,)>(any.exists(unused_session_key()));
        drop(self.client.with_timeout(update).await);
        Ok(Scan {
            store: self,
            nodes: nodes.into_iter().rev().map(|node| (node, 0)).collect(),
            failure: None,
        })
    }

    /// The sessions that are alive; a key of another type is no session.
    pub(crate) async fn active_among(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let now = self.clock.now();
        let answers = self.client.with_timeout(self.read_each(ids)).await?;
        let mut found = Vec::new();
        for (id, answers) in ids.iter().zip(answers) {
            let (stored, pttl) = answers?;
            let active = self.active(stored, pttl, now);
            found.extend(active.map(|active| (SessionHandle::from(id), active)));
        }
        Ok(found)
    }

    /// Ends those of the sessions whose keys exist, of all users. Their age does not matter, because another process
    /// may let them live longer than this one would.
    pub(crate) async fn remove_all(
        &self,
        ids: &[SessionId],
        why: &EndedSession,
    ) -> Result<Removed, StoreError> {
        let mut by_user: BTreeMap<String, Vec<SessionId>> = BTreeMap::new();
        for (id, user) in ids.iter().zip(self.owners(ids).await?) {
            if let Some(user) = user? {
                by_user.entry(user).or_default().push(*id);
            }
        }
        let remove = by_user.iter().map(|(user, ids)| async move {
            let why = why.with_user(user);
            self.remove(user, ids, Some(&why)).await
        });
        let mut all = Removed::default();
        for outcome in join_all(remove).await {
            match outcome {
                Ok(removed) => {
                    all.ended.extend(removed.ended);
                    all.failure = all.failure.or(removed.failure);
                }
                Err(error) => all.failure = Some(error),
            }
        }
        Ok(all)
    }

    /// Puts those of the sessions that belong to these users back into their lists.
    pub(crate) async fn restore(
        &self,
        users: &[String],
        ids: &[SessionId],
    ) -> Result<(), StoreError> {
        for (id, owner) in ids.iter().zip(self.owners(ids).await?) {
            let owner = owner?;
            if let Some(user) = users.iter().find(|user| owner.as_ref() == Some(user)) {
                self.add(id, user).await?;
            }
        }
        Ok(())
    }

    /// The sessions' users; `None` where there is no session.
    async fn owners(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<Result<Option<String>, StoreError>>, StoreError> {
        let get = ids.iter().map(|id| vec![Cmd::hget(session_key(id), USER)]);
        let answers = self.query_each(get.collect()).await?.into_iter();
        Ok(answers.map(|answers| answers.and_then(owner)).collect())
    }
}
