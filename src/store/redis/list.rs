//! A user's sessions: listing, ending and limiting them.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Pipeline, cmd};
use tokio::time::timeout;

use super::RedisStore;
use super::answers::{read, rows};
use super::layout::{ending_key, list_key, seconds, session_key};
use super::one::GONE;
use crate::session::{Ending, Handle, Live, NewSession, SessionId, StoreError, Which};

impl RedisStore {
    pub(super) async fn do_list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Vec<(Handle, Live)>, StoreError> {
        let mut ids = self.listed(user).await?;
        if let Some(reader) = reader.filter(|reader| !ids.contains(reader))
            && self.enlist(reader, user).await?
        {
            ids.push(*reader);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let look = ids.iter().flat_map(|id| {
            let key = session_key(id);
            [Cmd::hgetall(&key), Cmd::pttl(&key)]
        });
        // One key that holds something else must not hide the others.
        let rows = rows(self.connections.run_each([look.collect()]).await?)?;
        let mut live = Vec::new();
        let mut over = Vec::new();
        for (id, (fields, left)) in ids.iter().zip(rows) {
            if left == GONE || !fields.are_a_session() {
                over.push(*id);
            // One that has reached its absolute limit is not shown, and left to Redis to remove: another instance may
            // have another limit.
            } else if let Some(session) = self.live(fields, left, now) {
                live.push((Handle::from(id), session));
            }
        }
        self.unlist(user, &over).await?;
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
        self.unlist(user, &over).await?;
        self.remove(user, &live, Some(why)).await?;
        Ok(live.len())
    }

    /// A user's list, the oldest first. It may hold sessions that are over.
    pub(super) async fn listed(&self, user: &str) -> Result<Vec<SessionId>, StoreError> {
        let (names,): (Vec<String>,) = self
            .run_dated(Pipeline::with_capacity(2).zrange(list_key(user), 0, -1))
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
        let look = ids.iter().map(|id| Cmd::exists(session_key(id)));
        let exist: Vec<bool> = read(self.connections.run_each([look.collect()]).await?)?;
        let (mut live, mut over) = (Vec::new(), Vec::new());
        for (id, exists) in ids.into_iter().zip(exist) {
            if exists {
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
    /// Says how many it ended.
    pub(super) async fn trim(&self, new: &NewSession<'_>) -> Result<usize, StoreError> {
        let user = &new.session.user;
        let (mut live, over) = self.part(self.listed(user).await?).await?;
        live.truncate(live.len().saturating_sub(new.most));
        self.unlist(user, &over).await?;
        self.remove(user, &live, Some(new.too_many)).await
    }

    /// Lists a session that may be missing in its user's list, if it is alive, and says whether it is.
    ///
    /// With full memory it stays unlisted for the time being: its visitor should not suffer for it.
    pub(super) async fn enlist(&self, id: &SessionId, user: &str) -> Result<bool, StoreError> {
        let listed = list_key(user);
        let mut look = Pipeline::with_capacity(2);
        look.zscore(&listed, id.to_string())
            .expire(&listed, seconds(self.list_lifetime()));
        let (score_there, ()): (Option<f64>, ()) = self.connections.run(&look).await?;
        if score_there.is_some() {
            return Ok(true);
        }
        let mut add = Pipeline::with_capacity(1);
        add.add_command(self.list_command(id, user));
        match self.connections.run::<((),)>(&add).await {
            Err(StoreError::Failed(problem)) => {
                tracing::warn!(problem, "a session could not be listed");
                return Ok(true);
            }
            outcome => drop(outcome?),
        }
        // After it: whoever ends the session from here on deletes it before he takes it off the list.
        let (live, over) = self.part(vec![*id]).await?;
        self.remove(user, &over, None).await?;
        Ok(!live.is_empty())
    }

    pub(super) fn list_command(&self, id: &SessionId, user: &str) -> Cmd {
        let mut command = cmd("EVAL");
        command
            .arg(LIST)
            .arg(1)
            .arg(list_key(user))
            .arg(seconds(self.list_lifetime()))
            .arg(id.to_string());
        command
    }

    /// Drops sessions that are not there from their user's list; in a cluster not those that may not be there yet.
    async fn unlist(&self, user: &str, ids: &[SessionId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        if !self.connections.is_cluster() {
            return self.remove(user, ids, None).await.map(drop);
        }
        // There a sign-in first lists its session, and then has the rest of its budget to write it.
        let young = self.connections.budget() + Duration::from_secs(1);
        let mut pipeline = Pipeline::with_capacity(1);
        let command = pipeline
            .cmd("EVAL")
            .arg(UNLIST)
            .arg(1)
            .arg(list_key(user))
            .arg(young.as_secs_f64());
        for id in ids {
            command.arg(id.to_string());
        }
        let ((),) = self.connections.run(&pipeline).await?;
        Ok(())
    }

    /// Deletes sessions of one user, and keeps why. Says how many were there: where several do this at once, each
    /// session is counted by one of them. (One whose reply was lost is counted by nobody.)
    ///
    /// No transaction: with full memory Redis refuses every command inside one, and signing out must go on; and in a
    /// cluster the keys lie apart. The session goes first, so that whatever breaks off leaves at most an entry in a
    /// list that its next reader drops. Why it ended is the least important: where there is no memory for it, it is
    /// left out.
    pub(super) async fn remove(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&Ending>,
    ) -> Result<usize, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let sessions: Vec<_> = ids.iter().map(|id| Cmd::del(session_key(id))).collect();
        let names: Vec<_> = ids.iter().map(SessionId::to_string).collect();
        let mut rest = vec![Cmd::zrem(list_key(user), names)];
        if let Some(text) = why.and_then(|why| serde_json::to_string(why).ok()) {
            let remembered = seconds(self.lifetimes.idle).unsigned_abs();
            rest.extend(
                ids.iter()
                    .map(|id| Cmd::set_ex(ending_key(id), &text, remembered)),
            );
        }
        let counts: Vec<usize> = if self.connections.is_cluster() {
            let deleted = read(self.connections.run_each([sessions]).await?)?;
            self.clean_up(rest).await;
            deleted
        } else {
            let mut answers = self.connections.run_each([sessions, rest]).await?;
            // Whatever became of the rest: the sessions are over, and no answer may say that they are not.
            answers.truncate(ids.len());
            read(answers)?
        };
        Ok(counts.iter().filter(|deleted| **deleted > 0).count())
    }

    /// What follows the end of a session lies on other nodes of the cluster. One of them that does not answer must not
    /// make the end look as if it had not been: the rest is tried beside the request, which waits for it a little.
    async fn clean_up(&self, rest: Vec<Cmd>) {
        let connections = Arc::clone(&self.connections);
        let wait = connections.budget() / 4;
        let done = tokio::spawn(async move {
            let longest = connections.budget();
            timeout(longest, connections.run_each([rest])).await
        });
        if !matches!(timeout(wait, done).await, Ok(Ok(Ok(Ok(_))))) {
            tracing::debug!("a list of sessions, or why one ended, was not written in time");
        }
    }
}

/// Lists a session as its user's youngest, and says how many are listed, and Redis' time.
///
/// A script, because the order must be that of the sign-ins even where the instances' clocks differ: Redis' own
/// counts. It touches only the one key that it is given.
const LIST: &str = r"
local time = redis.call('TIME')
local score = time[1] + time[2] / 1000000
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] and tonumber(last[2]) >= score then score = tonumber(last[2]) + 0.000001 end
redis.call('ZADD', KEYS[1], string.format('%.6f', score), ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {redis.call('ZCARD', KEYS[1]), tonumber(time[1]), tonumber(time[2])}
";

/// Drops entries from a list unless they are younger than so many seconds.
const UNLIST: &str = r"
local time = redis.call('TIME')
local young = time[1] + time[2] / 1000000 - ARGV[1]
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) < young then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
";
