//! A user's sessions: listing, ending and limiting them.

use std::time::SystemTime;

use deadpool_redis::redis::Pipeline;

use super::RedisStore;
use super::answers::{Counts, Rows};
use super::layout::{ending_key, list_key, score, seconds, session_key};
use crate::session::{Ending, Handle, Live, NewSession, SessionId, StoreError, Which};

impl RedisStore {
    pub(super) async fn do_list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Vec<(Handle, Live)>, StoreError> {
        let mut ids = self.listed(user).await?;
        if let Some(reader) = reader.filter(|reader| !ids.contains(reader))
            && self.enlist(reader, user, self.clock.now()).await?
        {
            ids.push(*reader);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let mut pipeline = Pipeline::with_capacity(2 * ids.len());
        for id in &ids {
            pipeline.hgetall(session_key(id)).pttl(session_key(id));
        }
        // One key that holds something else must not hide the others.
        pipeline.ignore_errors();
        let Rows(rows) = self.connections.run(&pipeline).await?;
        let mut live = Vec::new();
        let mut over = Vec::new();
        for (id, (fields, left)) in ids.iter().zip(rows) {
            match self.live(fields, left, now) {
                Some(session) => live.push((Handle::from(id), session)),
                None => over.push(*id),
            }
        }
        self.remove(user, &over, None).await?;
        Ok(live)
    }

    pub(super) async fn do_end(
        &self,
        user: &str,
        which: Which,
        why: &Ending,
    ) -> Result<usize, StoreError> {
        let mut ids = self.listed(user).await?;
        ids.retain(|id| which.includes(Handle::from(id)));
        // Counted before it is done: what a lost reply makes us do twice is counted once.
        let (live, over) = self.part(ids).await?;
        self.remove(user, &over, None).await?;
        self.remove(user, &live, Some(why)).await?;
        Ok(live.len())
    }

    /// A user's list, the oldest first. It may hold sessions that are over.
    pub(super) async fn listed(&self, user: &str) -> Result<Vec<SessionId>, StoreError> {
        let (names,): (Vec<String>,) = self
            .connections
            .run(Pipeline::new().zrange(list_key(user), 0, -1))
            .await?;
        Ok(names
            .iter()
            .filter_map(|name| SessionId::parse(name))
            .collect())
    }

    /// Parts a user's sessions into those that are alive and those that are over.
    async fn part(
        &self,
        ids: Vec<SessionId>,
    ) -> Result<(Vec<SessionId>, Vec<SessionId>), StoreError> {
        if ids.is_empty() {
            return Ok((ids, Vec::new()));
        }
        let mut pipeline = Pipeline::new();
        for id in &ids {
            pipeline.exists(session_key(id));
        }
        let Counts(exist) = self.connections.run(&pipeline).await?;
        let (mut live, mut over) = (Vec::new(), Vec::new());
        for (id, exists) in ids.into_iter().zip(exist) {
            if exists > 0 {
                live.push(id);
            } else {
                over.push(id);
            }
        }
        Ok((live, over))
    }

    /// Ends the user's oldest sessions beyond the most allowed.
    ///
    /// Whoever does this spares the youngest of what he sees. So however many do it at once, none ends one of the
    /// youngest of all, and the last of them to look sees everything. The list's order is that of the sign-ins.
    pub(super) async fn trim(&self, new: &NewSession<'_>) -> Result<(), StoreError> {
        let user = &new.session.user;
        let (mut live, over) = self.part(self.listed(user).await?).await?;
        live.truncate(live.len().saturating_sub(new.most));
        self.remove(user, &over, None).await?;
        self.remove(user, &live, Some(new.too_many)).await
    }

    /// Lists a session that may be missing in its user's list, if it is alive, and says whether it is.
    ///
    /// With full memory it stays unlisted for the time being: its visitor should not suffer for it.
    pub(super) async fn enlist(
        &self,
        id: &SessionId,
        user: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let (listed, name) = (list_key(user), id.to_string());
        let lifetime = seconds(self.list_lifetime());
        let mut look = Pipeline::new();
        look.zscore(&listed, &name)
            .expire(&listed, lifetime)
            .ignore();
        let (score_there,): (Option<f64>,) = self.connections.run(&look).await?;
        if score_there.is_some() {
            return Ok(true);
        }
        let mut add = Pipeline::new();
        add.atomic()
            .zadd(&listed, &name, score(now))
            .ignore()
            .expire(&listed, lifetime)
            .ignore();
        match self.connections.run::<()>(&add).await {
            Err(StoreError::Failed(problem)) => {
                tracing::warn!(problem, "a session could not be listed");
                return Ok(true);
            }
            outcome => outcome?,
        }
        // After it: whoever ends the session from here on deletes it before he takes it off the list.
        let (live, over) = self.part(vec![*id]).await?;
        self.remove(user, &over, None).await?;
        Ok(!live.is_empty())
    }

    /// Deletes sessions of one user, and keeps why, in one round trip.
    ///
    /// No transaction: with full memory Redis refuses every command inside one, and signing out must go on.
    /// The session goes first, so that whatever breaks off leaves at most an entry in a list that its next
    /// reader drops. Why it ended is the least important: where there is no memory for it, it is left out.
    pub(super) async fn remove(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&Ending>,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::new();
        for id in ids {
            pipeline.del(session_key(id));
        }
        let names: Vec<_> = ids.iter().map(SessionId::to_string).collect();
        pipeline.zrem(list_key(user), names);
        if let Some(text) = why.and_then(|why| serde_json::to_string(why).ok()) {
            let remembered = seconds(self.lifetimes.idle).unsigned_abs();
            for id in ids {
                pipeline.set_ex(ending_key(id), &text, remembered).ignore();
            }
        }
        // Of the ignored commands only.
        pipeline.ignore_errors();
        let Counts(_) = self.connections.run(&pipeline).await?;
        Ok(())
    }
}
