//! A user's list of sessions, and the removal of sessions from it and from Redis.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Pipeline, ToRedisArgs, Value, cmd};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::session::{EndedSession, NewSession, SessionHandle, SessionId, StoreError};
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::{ended_key, list_key, seconds, session_key};
use crate::store::redis::sessions::store::RedisStore;

/// Sessions by whether their keys exist, in the same order; those whose node did not answer are in neither list.
#[derive(Default)]
pub(crate) struct Partition {
    pub(crate) alive: Vec<SessionId>,
    pub(crate) missing: Vec<SessionId>,
    pub(crate) failure: Option<StoreError>,
}

/// The outcome of a removal.
#[derive(Default)]
pub(crate) struct Removed {
    /// The sessions that this call ended.
    pub(crate) ended: Vec<SessionId>,
    /// The sessions that may still be alive, because of `failure`.
    pub(crate) failed: Vec<SessionId>,
    pub(crate) failure: Option<StoreError>,
}

impl Removed {
    /// For the removal of a single session: its user, if this call ended it.
    pub(crate) fn user_if_ended(self, user: String) -> Result<Option<String>, StoreError> {
        self.failure
            .map_or(Ok((!self.ended.is_empty()).then_some(user)), Err)
    }
}

impl RedisStore {
    /// A user's list, the oldest session first. It may hold sessions that do not exist any more.
    pub(crate) async fn listed(&self, user: &str) -> Result<Vec<SessionId>, StoreError> {
        let (names,): (Vec<String>,) = self
            .query_with_time(Pipeline::with_capacity(2).zrange(list_key(user), 0, -1))
            .await?;
        Ok(names
            .iter()
            .filter_map(|name| SessionId::parse(name))
            .collect())
    }

    /// Sends a group of commands for each of several keys, and returns the answers to each group.
    ///
    /// One server answers all groups or none. In a cluster a node that does not answer within a quarter of a request's
    /// time fails only the groups of its own keys.
    pub(crate) async fn query_each(
        &self,
        groups: Vec<Vec<Cmd>>,
    ) -> Result<Vec<Result<Vec<Value>, StoreError>>, StoreError> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        if !self.client.is_cluster() {
            let sizes: Vec<_> = groups.iter().map(Vec::len).collect();
            let all = groups.into_iter().flatten().collect();
            let mut answers = self.client.pipeline([all]).await?.into_iter();
            let sizes = sizes.into_iter();
            let groups = sizes.map(|size| Ok(answers.by_ref().take(size).collect()));
            return Ok(groups.collect());
        }
        let wait = self.client.timeout() / 4;
        let groups = groups.into_iter().map(|group| async move {
            let answers = timeout(wait, self.client.pipeline([group])).await;
            answers.unwrap_or(Err(StoreError::Timeout(wait)))
        });
        Ok(join_all(groups).await)
    }

    pub(crate) async fn partition_alive(
        &self,
        ids: Vec<SessionId>,
    ) -> Result<Partition, StoreError> {
        let exists = ids.iter().map(|id| vec![Cmd::exists(session_key(id))]);
        let answers = self.query_each(exists.collect()).await?;
        let mut partition = Partition::default();
        for (id, answers) in ids.into_iter().zip(answers) {
            match answers.and_then(read::<(bool,)>) {
                Ok((true,)) => partition.alive.push(id),
                Ok((false,)) => partition.missing.push(id),
                Err(error) if self.client.is_cluster() => partition.failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Ok(partition)
    }

    /// Ends the user's oldest sessions beyond [`NewSession::limit`], and returns those that it ended. A session whose
    /// node does not answer is left to the next sign-in.
    ///
    /// The list is in the order of the sign-ins, and each sign-in spares the youngest sessions that it sees. So however
    /// many run at once, none ends one of the youngest of all, and the last of them to read the list sees every
    /// session.
    pub(crate) async fn trim(
        &self,
        new: &NewSession<'_>,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let user = &new.session.user;
        let mut ids = self.listed(user).await?;
        let Partition { alive, missing, .. } = self.partition_alive(ids.clone()).await?;
        self.remove_stale(user, &missing).await?;
        ids.retain(|id| !missing.contains(id));
        ids.truncate(ids.len().saturating_sub(new.limit));
        ids.retain(|id| alive.contains(id));
        let Removed { ended, failure, .. } = self.remove(user, &ids, Some(new.over_limit)).await?;
        if let Some(error) = failure {
            tracing::debug!(%error, "a session beyond the limit stays for now");
        }
        Ok(ended.iter().map(SessionHandle::from).collect())
    }

    /// Adds a session to its user's list, if it is missing there and alive. Returns whether it is alive.
    ///
    /// If Redis' memory is full, the session stays unlisted for now: the request must not fail because of it.
    pub(crate) async fn add(&self, id: &SessionId, user: &str) -> Result<bool, StoreError> {
        let mut commands = Pipeline::with_capacity(2);
        commands
            .zscore(list_key(user), id.to_string())
            .add_command(self.lengthen_command(user));
        let (score, ()): (Option<f64>, ()) = self.client.query(&commands).await?;
        if score.is_some() {
            return Ok(true);
        }
        match self.client.query_one(self.list_command(id, user)).await {
            Err(StoreError::Failed(error)) => {
                tracing::warn!(error, "a session could not be listed");
                return Ok(true);
            }
            outcome => outcome?,
        }
        // After listing: a call that ends the session from here on removes its entry after its key.
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
        let script = [CLOCK, &LIST, " local ended", LISTED].concat();
        let mut command = eval(&script, &[list_key(user)]);
        command.arg(seconds(self.list_expiry())).arg(id.to_string());
        command
    }

    /// Lets a user's list live at least as long as a session of this instance can.
    pub(crate) fn lengthen_command(&self, user: &str) -> Cmd {
        let mut command = eval(LENGTHEN, &[list_key(user)]);
        command.arg(seconds(self.list_expiry()));
        command
    }

    /// Removes sessions without a key from their user's list; in a cluster not those whose key may be about to be
    /// written.
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
        let mut command = eval(REMOVE_STALE, &[list_key(user)]);
        command.arg(young.as_secs_f64()).arg(names);
        self.client.query_one(command).await
    }

    /// Ends a session in one round trip, on a single server. Returns whether this call ended it.
    pub(crate) async fn end_one(
        &self,
        id: &SessionId,
        user: &str,
        why: &EndedSession,
    ) -> Result<bool, StoreError> {
        let mut end = eval(&END, &end_keys(id, user));
        end.arg(&self.end_arguments(id, why));
        self.client.query_one(end).await
    }

    /// The arguments of [`end_script`].
    pub(crate) fn end_arguments(&self, id: &SessionId, why: &EndedSession) -> [String; 3] {
        let text = serde_json::to_string(why).unwrap_or_default();
        [
            id.to_string(),
            text,
            seconds(self.lifetimes.idle).to_string(),
        ]
    }

    /// Deletes sessions of one user, and stores the reason. Returns those that existed: of several calls at once only
    /// one returns each session. (If a reply is lost, none does.)
    ///
    /// No transaction: if memory is full, Redis refuses every command inside one, and signing out must still work; and
    /// in a cluster the keys are on different nodes. The session's key is deleted first, so an interruption leaves at
    /// most a list entry that the next [`remove_stale`](Self::remove_stale) removes; in a cluster a session that may be
    /// alive stays listed. The reason comes last: without memory for it, only it is lost.
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
            return self.remove_in_cluster(user, ids, why).await;
        }
        let sessions = ids.iter().map(|id| Cmd::del(session_key(id))).collect();
        let rest = self.commands_after_removal(user, ids, why);
        let mut answers = self.client.pipeline([sessions, rest]).await?;
        // Once their keys are deleted the sessions have ended, so a failure of the rest is not reported.
        answers.truncate(ids.len());
        let deleted: Vec<bool> = read(answers)?;
        let ended = ids.iter().zip(deleted).filter(|(_, deleted)| *deleted);
        Ok(Removed {
            ended: ended.map(|(id, _)| *id).collect(),
            ..Removed::default()
        })
    }

    async fn remove_in_cluster(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&EndedSession>,
    ) -> Result<Removed, StoreError> {
        let delete = ids.iter().map(|id| vec![Cmd::del(session_key(id))]);
        let answers = self.query_each(delete.collect()).await?;
        let mut removed = Removed::default();
        let mut missing = Vec::with_capacity(ids.len());
        for (id, answers) in ids.iter().zip(answers) {
            match answers.and_then(read::<(bool,)>) {
                Ok((deleted,)) => {
                    removed.ended.extend(deleted.then_some(*id));
                    missing.push(*id);
                }
                Err(error) => {
                    removed.failed.push(*id);
                    removed.failure = Some(error);
                }
            }
        }
        if !missing.is_empty() {
            let rest = self.commands_after_removal(user, &missing, why);
            self.send_detached(rest).await;
        }
        Ok(removed)
    }

    /// Removes the entries from the user's list, and stores the reason.
    fn commands_after_removal(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&EndedSession>,
    ) -> Vec<Cmd> {
        let names: Vec<_> = ids.iter().map(SessionId::to_string).collect();
        let mut commands = vec![Cmd::zrem(list_key(user), names)];
        if let Some(text) = why.and_then(|why| serde_json::to_string(why).ok()) {
            let ttl = seconds(self.lifetimes.idle).unsigned_abs();
            let ids = ids.iter();
            commands.extend(ids.map(|id| Cmd::set_ex(ended_key(id), &text, ttl)));
        }
        commands
    }

    /// The list and the reasons may be on other nodes than the sessions, and a node that does not answer must not fail
    /// a removal that has happened. So a task of its own sends these commands, and the request waits only briefly for
    /// it.
    async fn send_detached(&self, commands: Vec<Cmd>) {
        let client = Arc::clone(&self.client);
        let wait = client.timeout() / 4;
        let task =
            tokio::spawn(async move { client.with_timeout(client.pipeline([commands])).await });
        if !matches!(timeout(wait, task).await, Ok(Ok(Ok(_)))) {
            tracing::debug!("a list of sessions, or why one ended, was not written in time");
        }
    }
}

/// The keys of [`end_script`].
pub(crate) fn end_keys(id: &SessionId, user: &str) -> [String; 3] {
    [session_key(id), list_key(user), ended_key(id)]
}

/// Ends a session in one round trip, on a single server.
static END: LazyLock<String> = LazyLock::new(|| end_script(1, 1) + "return ended");

/// Ends the session of the three keys and arguments that begin at these numbers. Sets `ended` to 1 if it was alive. Once its
/// key is deleted it has ended, so a failure of the rest is not reported.
pub(crate) fn end_script(first_key: usize, first_argument: usize) -> String {
    let last_argument = first_argument + 2;
    format!(
        r"
local session, list, reason = unpack(KEYS, {first_key})
local id, text, ttl = unpack(ARGV, {first_argument}, {last_argument})
local ended = redis.call('DEL', session)
if ended == 1 then
  redis.pcall('ZREM', list, id)
  redis.pcall('SETEX', reason, ttl, text)
end
"
    )
}

/// `EVAL` of a script with these keys; the caller adds the arguments.
pub(crate) fn eval(script: &str, keys: &[impl ToRedisArgs]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}

/// In a cluster a sign-in first lists its session and then writes it. Both together take at most the instance's
/// `redis_timeout_ms`, of which this is the highest value.
const LONGEST_SIGN_IN: Duration = Duration::from_secs(600);

/// The beginning of the scripts that list and write a session: `call`, Redis' answer `time`, and `now` in seconds. That is a
/// text, because it becomes a score: Redis would write a number of Lua's to 17 digits, and read these.
pub(crate) const CLOCK: &str = r"
local call = redis.call
local time = call('TIME')
local now = string.format('%s.%06d', time[1], time[2])
";

/// Lists a session as its user's youngest, and lets the list live at least `ARGV[1]` seconds. Sets `listed` to the number of
/// listed sessions. The life of a list that is there is only lengthened, even if the session is its only one: another instance
/// may have listed it a moment ago.
///
/// A script, because the order must be that of the sign-ins even where the instances' clocks differ: the score is
/// Redis' own time. It touches only the first of its keys. Most users have one session: then there is nothing to compare.
pub(crate) static LIST: LazyLock<String> = LazyLock::new(|| {
    let list = r"
local added = call('ZADD', KEYS[1], now, ARGV[2])
local listed = call('ZCARD', KEYS[1])
local is_new_list = listed == 1 and added == 1
if is_new_list then
  call('EXPIRE', KEYS[1], ARGV[1])
else
  local last = call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if last[1] ~= ARGV[2] then
    call('ZADD', KEYS[1], string.format('%.6f', tonumber(last[2]) + 0.000001), ARGV[2])
  end
";
    [list, LENGTHEN, "end"].concat()
});

/// The end of a script that lists: how many sessions are listed, Redis' time, and `ended`, if it is not `nil`.
pub(crate) const LISTED: &str = "
return {listed, tonumber(time[1]), tonumber(time[2]), ended}";

/// Lets a list live at least `ARGV[1]` seconds. Never shortens its life: another instance's sessions may live longer.
/// (`EXPIRE .. GT` needs Redis 7.)
pub(crate) const LENGTHEN: &str = r"
if redis.call('PTTL', KEYS[1]) < ARGV[1] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
";

/// Removes entries from a list unless they are younger than `ARGV[1]` seconds.
const REMOVE_STALE: &str = r"
local time = redis.call('TIME')
local young = time[1] + time[2] / 1000000 - ARGV[1]
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) < young then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
";
