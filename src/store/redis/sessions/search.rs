//! A look through all sessions, for an operator.

use std::collections::BTreeMap;

use deadpool_redis::redis::Cmd;
use futures_util::future::join_all;

use crate::session::{
    ActiveSession, EndOutcome, EndedSession, HandlePrefix, SessionHandle, SessionId, StoreError,
};
use crate::store::redis::RedisStore;
use crate::store::redis::connection::reply::{owner, row};
use crate::store::redis::keys::session_key;
use crate::store::redis::sessions::index::Removed;
use crate::store::redis::sessions::record::USER;

impl RedisStore {
    pub(in crate::store::redis) async fn do_list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let look = self.live_among(&ids);
            match self.connections.within_budget(look).await {
                Ok(live) => live
                    .into_iter()
                    .for_each(|(id, live)| found(SessionHandle::from(&id), live)),
                Err(error) => scan.give_up(error),
            }
        }
        scan.finish()
    }

    pub(in crate::store::redis) async fn do_find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let mut named = Vec::new();
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let ids = ids.into_iter();
            named.extend(ids.filter(|id| prefix.includes(SessionHandle::from(id))));
        }
        scan.finish()?;
        named.sort_by_key(|id| SessionHandle::from(id));
        named.dedup();
        let look = self.live_among(&named);
        let live = self.connections.within_budget(look).await?.into_iter();
        Ok(live
            .map(|(id, live)| (SessionHandle::from(&id), live))
            .collect())
    }

    pub(in crate::store::redis) async fn do_delete_all(
        &self,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let mut ended = Vec::new();
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let remove = self.remove_all(&ids, why);
            match self.connections.within_budget(remove).await {
                Ok(removed) => {
                    ended.extend(removed.ended.iter().map(SessionHandle::from));
                    if let Some(failure) = removed.failure {
                        scan.give_up(failure);
                    }
                }
                Err(error) => scan.give_up(error),
            }
        }
        let failure = scan.finish().err();
        Ok(EndOutcome { ended, failure })
    }

    /// Ends those of the sessions that are there, whoever's they are; by their keys alone, because another process may
    /// let them live longer than this one would.
    async fn remove_all(
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
            let why = why.of(user);
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

    /// Those that are alive; a key that holds something else is no session.
    async fn live_among(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<(SessionId, ActiveSession)>, StoreError> {
        let now = self.clock.now();
        let look = ids.iter().map(|id| {
            let key = session_key(id);
            vec![Cmd::hgetall(&key), Cmd::pttl(&key)]
        });
        let mut alive = Vec::new();
        for (id, answers) in ids.iter().zip(self.ask_apart(look.collect()).await?) {
            let (fields, left) = answers.and_then(row)?;
            alive.extend(self.live(fields, left, now).map(|live| (*id, live)));
        }
        Ok(alive)
    }

    pub(in crate::store::redis) async fn do_restore_lists(
        &self,
        users: &[String],
    ) -> Result<(), StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let restore = self.restore(users, ids);
            if let Err(error) = self.connections.within_budget(restore).await {
                scan.give_up(error);
            }
        }
        scan.finish()
    }

    /// Lists those of the sessions that are these users'.
    async fn restore(&self, users: &[String], ids: Vec<SessionId>) -> Result<(), StoreError> {
        for (id, owner) in ids.iter().zip(self.owners(&ids).await?) {
            let owner = owner?;
            if let Some(user) = users.iter().find(|user| owner.as_ref() == Some(user)) {
                self.enlist(id, user).await?;
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
        let answers = self.ask_apart(look.collect()).await?.into_iter();
        Ok(answers.map(|answers| answers.and_then(owner)).collect())
    }

    pub(in crate::store::redis) async fn do_delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            if let Some(id) = ids.into_iter().find(|id| SessionHandle::from(id) == handle) {
                let end = self.end_found(&id, why);
                return self.connections.within_budget(end).await;
            }
        }
        scan.finish()?;
        Ok(None)
    }

    async fn end_found(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let Some(user) = self.user_of(id).await? else {
            return Ok(None);
        };
        let why = why.of(&user);
        let Removed { ended, failure, .. } = self.remove(&user, &[*id], Some(&why)).await?;
        failure.map_or(Ok((!ended.is_empty()).then_some(user)), Err)
    }
}
