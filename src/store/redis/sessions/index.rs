//! A user's sessions: listing, ending and limiting them.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Pipeline, Value, cmd};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::session::{
    ActiveSession, EndOutcome, EndedSession, Listing, NewSession, Selection, SessionHandle,
    SessionId, StoreError,
};
use crate::store::redis::RedisStore;
use crate::store::redis::connection::reply::{read, row};
use crate::store::redis::keys::{ended_key, list_key, seconds, session_key};
use crate::store::redis::sessions::hash::GONE;

/// Sessions by what is known of them; the order stays.
#[derive(Default)]
struct Parted {
    alive: Vec<SessionId>,
    over: Vec<SessionId>,
    /// Those whose part of the cluster did not answer, and why.
    unknown: Vec<SessionId>,
    failure: Option<StoreError>,
}

/// What became of sessions that were to be removed.
#[derive(Default)]
pub(in crate::store::redis) struct Removed {
    /// Those of them that this call ended.
    pub(in crate::store::redis) ended: Vec<SessionId>,
    /// Those that may be alive, and why.
    left: Vec<SessionId>,
    pub(in crate::store::redis) failure: Option<StoreError>,
}

impl RedisStore {
    pub(in crate::store::redis) async fn do_list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        let mut ids = self.listed(user).await?;
        if let Some(reader) = reader.filter(|reader| !ids.contains(reader))
            && self.enlist(reader, user).await?
        {
            ids.push(*reader);
        }
        let now = self.clock.now();
        let look = ids.iter().map(|id| {
            let key = session_key(id);
            vec![Cmd::hgetall(&key), Cmd::pttl(&key)]
        });
        let mut listing = Listing {
            sessions: Vec::new(),
            complete: true,
        };
        let mut over = Vec::new();
        for (id, answers) in ids.iter().zip(self.ask_apart(look.collect()).await?) {
            // One key that holds something else must not hide the others, nor a node that does not answer.
            let (fields, left) = match answers.and_then(row) {
                Ok(row) => row,
                Err(_) if self.connections.is_cluster() => {
                    listing.complete = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if left == GONE || !fields.are_a_session() {
                over.push(*id);
            // One that has reached its absolute limit is not shown, and left to Redis to remove: another instance may
            // have another limit.
            } else if let Some(session) = self.live(fields, left, now) {
                listing.sessions.push((SessionHandle::from(id), session));
            }
        }
        self.unlist(user, &over).await?;
        Ok(listing)
    }

    pub(in crate::store::redis) async fn do_delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let mut ids = self.listed(user).await?;
        ids.retain(|id| selection.includes(SessionHandle::from(id)));
        let mut parted = self.part(ids).await?;
        self.unlist(user, &parted.over).await?;
        let removed = self.remove(user, &parted.alive, Some(why)).await?;
        // By what was seen before it was done: what a lost reply makes us do twice counts once.
        parted.alive.retain(|id| !removed.left.contains(id));
        Ok(EndOutcome {
            ended: parted.alive.iter().map(SessionHandle::from).collect(),
            failure: parted.failure.or(removed.failure),
        })
    }

    /// A user's list, the oldest first. It may hold sessions that are over.
    pub(in crate::store::redis) async fn listed(
        &self,
        user: &str,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (names,): (Vec<String>,) = self
            .run_dated(Pipeline::with_capacity(2).zrange(list_key(user), 0, -1))
            .await?;
        Ok(names
            .iter()
            .filter_map(|name| SessionId::parse(name))
            .collect())
    }

    /// Runs the commands of several keys, those of each key apart.
    ///
    /// A server answers all or nothing. In a cluster a node that does not answer costs its own keys' answers and nobody
    /// else's: it gets a quarter of the time that the whole operation has.
    pub(in crate::store::redis) async fn ask_apart(
        &self,
        of_each: Vec<Vec<Cmd>>,
    ) -> Result<Vec<Result<Vec<Value>, StoreError>>, StoreError> {
        if of_each.is_empty() {
            return Ok(Vec::new());
        }
        if !self.connections.is_cluster() {
            let numbers: Vec<_> = of_each.iter().map(Vec::len).collect();
            let all = of_each.into_iter().flatten().collect();
            let mut answers = self.connections.run_each([all]).await?.into_iter();
            let of_each = numbers
                .into_iter()
                .map(|number| Ok(answers.by_ref().take(number).collect()));
            return Ok(of_each.collect());
        }
        let wait = self.connections.budget() / 4;
        let of_each = of_each.into_iter().map(|commands| async move {
            timeout(wait, self.connections.run_each([commands]))
                .await
                .unwrap_or(Err(StoreError::Timeout(wait)))
        });
        Ok(join_all(of_each).await)
    }

    async fn part(&self, ids: Vec<SessionId>) -> Result<Parted, StoreError> {
        let look = ids.iter().map(|id| vec![Cmd::exists(session_key(id))]);
        let answers = self.ask_apart(look.collect()).await?;
        let mut parted = Parted::default();
        for (id, answers) in ids.into_iter().zip(answers) {
            match answers.and_then(read::<(bool,)>) {
                Ok((true,)) => parted.alive.push(id),
                Ok((false,)) => parted.over.push(id),
                Err(error) if self.connections.is_cluster() => {
                    parted.unknown.push(id);
                    parted.failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(parted)
    }

    /// Ends the user's oldest sessions beyond the most allowed.
    ///
    /// Whoever does this spares the youngest of what he sees. So however many do it at once, none ends one of the
    /// youngest of all, and the last of them to look sees everything. The list's order is that of the sign-ins.
    /// Says which it ended. One whose node does not answer is left to the next sign-in.
    pub(in crate::store::redis) async fn trim(
        &self,
        new: &NewSession<'_>,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let user = &new.session.user;
        let mut ids = self.listed(user).await?;
        let Parted { alive, over, .. } = self.part(ids.clone()).await?;
        self.unlist(user, &over).await?;
        ids.retain(|id| !over.contains(id));
        ids.truncate(ids.len().saturating_sub(new.limit));
        ids.retain(|id| alive.contains(id));
        let Removed { ended, failure, .. } = self.remove(user, &ids, Some(new.over_limit)).await?;
        if let Some(error) = failure {
            tracing::debug!(%error, "a session beyond the most allowed stays for now");
        }
        Ok(ended.iter().map(SessionHandle::from).collect())
    }

    /// Lists a session that may be missing in its user's list, if it is alive, and says whether it is.
    ///
    /// With full memory it stays unlisted for the time being: its visitor should not suffer for it.
    pub(in crate::store::redis) async fn enlist(
        &self,
        id: &SessionId,
        user: &str,
    ) -> Result<bool, StoreError> {
        let listed = list_key(user);
        let mut look = Pipeline::with_capacity(2);
        look.zscore(&listed, id.to_string())
            .add_command(self.lengthen_command(user));
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
        let alive = self.is_alive(id).await?;
        if !alive {
            self.remove(user, &[*id], None).await?;
        }
        Ok(alive)
    }

    pub(in crate::store::redis) async fn is_alive(
        &self,
        id: &SessionId,
    ) -> Result<bool, StoreError> {
        let (alive,) = self
            .connections
            .run(Pipeline::with_capacity(1).exists(session_key(id)))
            .await?;
        Ok(alive)
    }

    pub(in crate::store::redis) fn list_command(&self, id: &SessionId, user: &str) -> Cmd {
        let mut command = cmd("EVAL");
        command
            .arg([LIST, LENGTHEN, "return listed"].concat())
            .arg(1)
            .arg(list_key(user))
            .arg(seconds(self.list_lifetime()))
            .arg(id.to_string());
        command
    }

    /// Lets a user's list live at least as long as this instance lets its sessions live.
    pub(in crate::store::redis) fn lengthen_command(&self, user: &str) -> Cmd {
        let mut command = cmd("EVAL");
        command
            .arg(LENGTHEN)
            .arg(1)
            .arg(list_key(user))
            .arg(seconds(self.list_lifetime()));
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
        let young = self.connections.budget().max(LONGEST_SIGN_IN) + Duration::from_secs(1);
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

    /// Deletes sessions of one user, and keeps why. Says which were there: where several do this at once, each
    /// session is counted by one of them. (One whose reply was lost is counted by nobody.)
    ///
    /// No transaction: with full memory Redis refuses every command inside one, and signing out must go on; and in a
    /// cluster the keys lie apart. The session goes first, so that whatever breaks off leaves at most an entry in a
    /// list that its next reader drops; in a cluster one that may be alive stays listed. Why it ended is the least
    /// important: where there is no memory for it, it is left out.
    pub(in crate::store::redis) async fn remove(
        &self,
        user: &str,
        ids: &[SessionId],
        why: Option<&EndedSession>,
    ) -> Result<Removed, StoreError> {
        if ids.is_empty() {
            return Ok(Removed::default());
        }
        if self.connections.is_cluster() {
            return self.remove_apart(user, ids, why).await;
        }
        let sessions = ids.iter().map(|id| Cmd::del(session_key(id))).collect();
        let rest = self.afterwards(user, ids, why);
        let mut answers = self.connections.run_each([sessions, rest]).await?;
        // Whatever became of the rest: the sessions are over, and no answer may say that they are not.
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
        let answers = self.ask_apart(sessions.collect()).await?;
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

/// In a cluster a sign-in first lists its session and then writes it, which takes no longer than `redis_timeout_ms` of
/// whatever instance it is; this is the most that can be set.
const LONGEST_SIGN_IN: Duration = Duration::from_secs(600);

/// Lists a session as its user's youngest, and says how many are listed, and Redis' time.
///
/// A script, because the order must be that of the sign-ins even where the instances' clocks differ: Redis' own
/// counts. It touches only the first of its keys. To be followed by [`LENGTHEN`].
pub(in crate::store::redis) const LIST: &str = r"
local time = redis.call('TIME')
local score = time[1] + time[2] / 1000000
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] and tonumber(last[2]) >= score then score = tonumber(last[2]) + 0.000001 end
redis.call('ZADD', KEYS[1], string.format('%.6f', score), ARGV[2])
local listed = {redis.call('ZCARD', KEYS[1]), tonumber(time[1]), tonumber(time[2])}
";

/// Lets a list live at least so many seconds. Another instance may let its sessions live longer, so a list never ends
/// earlier than before. (`EXPIRE .. GT` needs Redis 7.)
pub(in crate::store::redis) const LENGTHEN: &str = r"
if redis.call('PTTL', KEYS[1]) < ARGV[1] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
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
