//! A user's list, and the end of sessions, which leave it.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Pipeline, Value, cmd};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::session::{EndedSession, NewSession, SessionHandle, SessionId, StoreError};
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::{ended_key, list_key, seconds, session_key};
use crate::store::redis::sessions::store::RedisStore;

/// Sessions by whether they are alive, in the same order; those whose node did not answer are neither.
#[derive(Default)]
pub(crate) struct Partition {
    pub(crate) alive: Vec<SessionId>,
    pub(crate) over: Vec<SessionId>,
    pub(crate) failure: Option<StoreError>,
}

/// What became of sessions that were to be removed.
#[derive(Default)]
pub(crate) struct Removed {
    /// Those of them that this call ended.
    pub(crate) ended: Vec<SessionId>,
    /// Those that may be alive, and why.
    pub(crate) left: Vec<SessionId>,
    pub(crate) failure: Option<StoreError>,
}

impl Removed {
    /// Of the removal of a single session of this user: the user, if this call ended it.
    pub(crate) fn user_if_ended(self, user: String) -> Result<Option<String>, StoreError> {
        self.failure
            .map_or(Ok((!self.ended.is_empty()).then_some(user)), Err)
    }
}

impl RedisStore {
    /// A user's list, the oldest first. It may hold sessions that are over.
    pub(crate) async fn listed(&self, user: &str) -> Result<Vec<SessionId>, StoreError> {
        let (names,): (Vec<String>,) = self
            .query_dated(Pipeline::with_capacity(2).zrange(list_key(user), 0, -1))
            .await?;
        Ok(names
            .iter()
            .filter_map(|name| SessionId::parse(name))
            .collect())
    }

    /// Sends the commands of several keys, and returns the answers about each key, or why there are none.
    ///
    /// A server answers all or nothing. In a cluster a node that does not answer costs the answers about its own keys
    /// alone: it gets a quarter of the time that a request has.
    pub(crate) async fn ask_each(
        &self,
        of_each: Vec<Vec<Cmd>>,
    ) -> Result<Vec<Result<Vec<Value>, StoreError>>, StoreError> {
        if of_each.is_empty() {
            return Ok(Vec::new());
        }
        if !self.client.is_cluster() {
            let numbers: Vec<_> = of_each.iter().map(Vec::len).collect();
            let all = of_each.into_iter().flatten().collect();
            let mut answers = self.client.pipeline([all]).await?.into_iter();
            let of_each = numbers
                .into_iter()
                .map(|number| Ok(answers.by_ref().take(number).collect()));
            return Ok(of_each.collect());
        }
        let wait = self.client.timeout() / 4;
        let of_each = of_each.into_iter().map(|commands| async move {
            timeout(wait, self.client.pipeline([commands]))
                .await
                .unwrap_or(Err(StoreError::Timeout(wait)))
        });
        Ok(join_all(of_each).await)
    }

    pub(crate) async fn partition_alive(
        &self,
        ids: Vec<SessionId>,
    ) -> Result<Partition, StoreError> {
        let look = ids.iter().map(|id| vec![Cmd::exists(session_key(id))]);
        let answers = self.ask_each(look.collect()).await?;
        let mut partition = Partition::default();
        for (id, answers) in ids.into_iter().zip(answers) {
            match answers.and_then(read::<(bool,)>) {
                Ok((true,)) => partition.alive.push(id),
                Ok((false,)) => partition.over.push(id),
                Err(error) if self.client.is_cluster() => partition.failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Ok(partition)
    }

    /// Ends the user's oldest sessions beyond [`NewSession::limit`], and says which. One whose node does not answer is
    /// left to the next sign-in.
    ///
    /// Each sign-in spares the youngest sessions that it sees. So however many run at once, none ends one of the youngest
    /// of all, and the last of them to read the list sees everything. The list's order is that of the sign-ins.
    pub(crate) async fn trim(
        &self,
        new: &NewSession<'_>,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let user = &new.session.user;
        let mut ids = self.listed(user).await?;
        let Partition { alive, over, .. } = self.partition_alive(ids.clone()).await?;
        self.remove_stale(user, &over).await?;
        ids.retain(|id| !over.contains(id));
        ids.truncate(ids.len().saturating_sub(new.limit));
        ids.retain(|id| alive.contains(id));
        let Removed { ended, failure, .. } = self.remove(user, &ids, Some(new.over_limit)).await?;
        if let Some(error) = failure {
            tracing::debug!(%error, "a session beyond the limit stays for now");
        }
        Ok(ended.iter().map(SessionHandle::from).collect())
    }

    /// Adds a session to its user's list, if it is missing there and alive. Says whether it is alive.
    ///
    /// With full memory it stays unlisted for the time being: its visitor should not suffer for it.
    pub(crate) async fn add(&self, id: &SessionId, user: &str) -> Result<bool, StoreError> {
        let listed = list_key(user);
        let mut look = Pipeline::with_capacity(2);
        look.zscore(&listed, id.to_string())
            .add_command(self.lengthen_command(user));
        let (score_there, ()): (Option<f64>, ()) = self.client.query(&look).await?;
        if score_there.is_some() {
            return Ok(true);
        }
        match self.client.query_one(self.list_command(id, user)).await {
            Err(StoreError::Failed(error)) => {
                tracing::warn!(error, "a session could not be listed");
                return Ok(true);
            }
            outcome => outcome?,
        }
        // After it was listed: a call that ends the session from here on deletes it before it takes it off the list.
        let alive = self.is_alive(id).await?;
        if !alive {
            self.remove(user, &[*id], None).await?;
        }
        Ok(alive)
    }

    pub(crate) async fn is_alive(&self, id: &SessionId) -> Result<bool, StoreError> {
        self.client.query_one(Cmd::exists(session_key(id))).await
    }

    pub(crate) fn list_command(&self, id: &SessionId, user: &str) -> Cmd {
        let script = [LIST, LENGTHEN, "return listed"].concat();
        let mut command = eval(&script, &[&list_key(user)]);
        command.arg(seconds(self.list_expiry())).arg(id.to_string());
        command
    }

    /// Lets a user's list live at least as long as this instance lets its sessions live.
    pub(crate) fn lengthen_command(&self, user: &str) -> Cmd {
        let mut command = eval(LENGTHEN, &[&list_key(user)]);
        command.arg(seconds(self.list_expiry()));
        command
    }

    /// Drops sessions that do not exist from their user's list; in a cluster not those that may not exist yet.
    pub(crate) async fn remove_stale(
        &self,
        user: &str,
        ids: &[SessionId],
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        if !self.client.is_cluster() {
            return self.remove(user, ids, None).await.map(drop);
        }
        let young = self.client.timeout().max(LONGEST_SIGN_IN) + Duration::from_secs(1);
        let names: Vec<_> = ids.iter().map(SessionId::to_string).collect();
        let mut command = eval(REMOVE_STALE, &[&list_key(user)]);
        command.arg(young.as_secs_f64()).arg(names);
        self.client.query_one(command).await
    }

    /// Deletes sessions of one user, and keeps why. Says which existed: where several calls do this at once, one of them
    /// counts each session. (One whose reply was lost is not counted.)
    ///
    /// No transaction: with full memory Redis refuses every command inside one, and signing out must go on; and in a
    /// cluster the keys lie apart. The session goes first, so that whatever breaks off leaves at most an entry in a
    /// list that the next [`remove_stale`](Self::remove_stale) drops; in a cluster one that may be alive stays listed. Why
    /// it ended is the least important: where there is no memory for it, it is left out.
    pub(crate) async fn remove(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&EndedSession>,
    ) -> Result<Removed, StoreError> {
        if ids.is_empty() {
            return Ok(Removed::default());
        }
        if self.client.is_cluster() {
            return self.remove_apart(user, ids, why).await;
        }
        let sessions = ids.iter().map(|id| Cmd::del(session_key(id))).collect();
        let rest = self.afterwards(user, ids, why);
        let mut answers = self.client.pipeline([sessions, rest]).await?;
        // The sessions are over even if the rest failed, and no answer may say that they are not.
        answers.truncate(ids.len());
        let deleted: Vec<bool> = read(answers)?;
        let ended = ids.iter().zip(deleted).filter(|(_, deleted)| *deleted);
        Ok(Removed {
            ended: ended.map(|(id, _)| *id).collect(),
            ..Removed::default()
        })
    }

    async fn remove_apart(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&EndedSession>,
    ) -> Result<Removed, StoreError> {
        let sessions = ids.iter().map(|id| vec![Cmd::del(session_key(id))]);
        let answers = self.ask_each(sessions.collect()).await?;
        let mut removed = Removed::default();
        let mut over = Vec::with_capacity(ids.len());
        for (id, answers) in ids.iter().zip(answers) {
            match answers.and_then(read::<(bool,)>) {
                Ok((deleted,)) => {
                    removed.ended.extend(deleted.then_some(*id));
                    over.push(*id);
                }
                Err(error) => {
                    removed.left.push(*id);
                    removed.failure = Some(error);
                }
            }
        }
        if !over.is_empty() {
            self.clean_up(self.afterwards(user, &over, why)).await;
        }
        Ok(removed)
    }

    /// What follows the end of sessions: they leave their user's list, and why they ended is kept.
    fn afterwards(&self, user: &str, ids: &[SessionId], why: Option<&EndedSession>) -> Vec<Cmd> {
        let names: Vec<_> = ids.iter().map(SessionId::to_string).collect();
        let mut commands = vec![Cmd::zrem(list_key(user), names)];
        if let Some(text) = why.and_then(|why| serde_json::to_string(why).ok()) {
            let remembered = seconds(self.lifetimes.idle).unsigned_abs();
            let reasons = ids
                .iter()
                .map(|id| Cmd::set_ex(ended_key(id), &text, remembered));
            commands.extend(reasons);
        }
        commands
    }

    /// The list and the reasons may lie on other nodes of the cluster than the sessions. A node that does not answer must
    /// not make an end that happened fail: a task of its own sends the rest, and the request waits for it only a little.
    async fn clean_up(&self, rest: Vec<Cmd>) {
        let client = Arc::clone(&self.client);
        let wait = client.timeout() / 4;
        let done = tokio::spawn(async move { client.with_timeout(client.pipeline([rest])).await });
        if !matches!(timeout(wait, done).await, Ok(Ok(Ok(_)))) {
            tracing::debug!("a list of sessions, or why one ended, was not written in time");
        }
    }
}

/// `EVAL` of a script with these keys; its arguments are to be added.
pub(crate) fn eval(script: &str, keys: &[&str]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}

/// In a cluster a sign-in first lists its session and then writes it, which takes no longer than the `redis_timeout_ms`
/// of its instance; this is the most that can be set.
const LONGEST_SIGN_IN: Duration = Duration::from_secs(600);

/// Lists a session as its user's youngest, and says how many are listed, and Redis' time.
///
/// A script, because the order must be that of the sign-ins even where the instances' clocks differ: Redis' own
/// counts. It touches only the first of its keys. To be followed by [`LENGTHEN`].
pub(crate) const LIST: &str = r"
local time = redis.call('TIME')
local score = time[1] + time[2] / 1000000
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] and tonumber(last[2]) >= score then score = tonumber(last[2]) + 0.000001 end
redis.call('ZADD', KEYS[1], string.format('%.6f', score), ARGV[2])
local listed = {redis.call('ZCARD', KEYS[1]), tonumber(time[1]), tonumber(time[2])}
";

/// Lets a list live at least `ARGV[1]` seconds. Another instance may let its sessions live longer, so a list never ends
/// earlier than before. (`EXPIRE .. GT` needs Redis 7.)
pub(crate) const LENGTHEN: &str = r"
if redis.call('PTTL', KEYS[1]) < ARGV[1] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
";

/// Drops entries from a list unless they are younger than `ARGV[1]` seconds.
const REMOVE_STALE: &str = r"
local time = redis.call('TIME')
local young = time[1] + time[2] / 1000000 - ARGV[1]
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) < young then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
";
