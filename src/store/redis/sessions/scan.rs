//! A walk over the keys of all sessions on all servers, for an operator.

use std::collections::BTreeMap;

use deadpool_redis::redis::{Cmd, Pipeline, cmd};
use futures_util::future::join_all;

use crate::session::{ActiveSession, EndedSession, SessionHandle, SessionId, StoreError};
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::keys::{id_in, session_key, unused_session_key};
use crate::store::redis::sessions::index::Removed;
use crate::store::redis::sessions::record::{USER, owner};
use crate::store::redis::sessions::store::RedisStore;

/// How many keys Redis looks at in one step, which it does not interrupt for others.
const SCAN_COUNT: usize = 1000;

/// A walk by `SCAN`, which unlike `KEYS` lets others go on between its steps. Each step has the time that a request has.
///
/// A server that does not answer is left out, so that the others are seen all the same; [`finish`](Self::finish) tells
/// of it.
pub(crate) struct Scan<'a> {
    store: &'a RedisStore,
    /// The servers that are still to come, and last the one under way, with the cursor that it answered.
    nodes: Vec<(Node, u64)>,
    failure: Option<StoreError>,
}

impl Scan<'_> {
    /// The next ids, perhaps none this time and perhaps some for a second time; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Vec<SessionId>> {
        while let Some((node, cursor)) = self.nodes.pop() {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("session:*");
            scan.arg("COUNT").arg(SCAN_COUNT);
            match self.store.client.ask(&node, &scan).await {
                Ok((next, keys)) => {
                    if next != 0 {
                        self.nodes.push((node, next));
                    }
                    let keys: Vec<Vec<u8>> = keys;
                    return Some(keys.iter().filter_map(|key| id_in(key)).collect());
                }
                Err(error) => self.note(error),
            }
        }
        None
    }

    /// What was done with the last ids failed: their server is left out from here on.
    pub(crate) fn leave_out(&mut self, error: StoreError) {
        // A server whose walk has begun stands last, with a cursor.
        self.nodes.pop_if(|(_, cursor)| *cursor != 0);
        self.note(error);
    }

    fn note(&mut self, error: StoreError) {
        self.failure.get_or_insert(error);
    }

    /// Fails where a server was left out.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl RedisStore {
    pub(crate) async fn scan(&self) -> Result<Scan<'_>, StoreError> {
        let nodes = self.client.with_timeout(self.client.nodes()).await?;
        // What is read of the sessions is dated by Redis' clock. Where that does not answer, the walk tells of it.
        let mut any = Pipeline::with_capacity(2);
        let asked = self.query_dated::<(bool,)>(any.exists(unused_session_key()));
        drop(self.client.with_timeout(asked).await);
        Ok(Scan {
            store: self,
            nodes: nodes.into_iter().rev().map(|node| (node, 0)).collect(),
            failure: None,
        })
    }

    /// Those that are alive; a key that holds something else is no session.
    pub(crate) async fn active_among(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let now = self.clock.now();
        let answers = self.client.with_timeout(self.read_each(ids)).await?;
        let mut found = Vec::new();
        for (id, answers) in ids.iter().zip(answers) {
            let (fields, left) = answers?;
            let active = self.active(fields, left, now);
            found.extend(active.map(|active| (SessionHandle::from(id), active)));
        }
        Ok(found)
    }

    /// Ends those of the sessions that exist, of all users. By their keys alone, because another process may let them live
    /// longer than this one would.
    pub(crate) async fn remove_all(
        &self,
        ids: &[SessionId],
        why: &EndedSession,
    ) -> Result<Removed, StoreError> {
        let mut of_users: BTreeMap<String, Vec<SessionId>> = BTreeMap::new();
        for (id, user) in ids.iter().zip(self.owners(ids).await?) {
            if let Some(user) = user? {
                of_users.entry(user).or_default().push(*id);
            }
        }
        let remove = of_users.iter().map(|(user, ids)| async move {
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

    /// Lists those of the sessions that are these users'.
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

    /// Whose sessions they are; `None` where there is none.
    async fn owners(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<Result<Option<String>, StoreError>>, StoreError> {
        let look = ids.iter().map(|id| vec![Cmd::hget(session_key(id), USER)]);
        let answers = self.ask_each(look.collect()).await?.into_iter();
        Ok(answers.map(|answers| answers.and_then(owner)).collect())
    }
}
