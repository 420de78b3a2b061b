//! One session: beginning, using, ending it.

use std::time::{Duration, SystemTime};

use deadpool_redis::redis::{Cmd, Pipeline, Value, cmd};

use crate::session::{
    ActiveSession, Created, EndedSession, NewSession, Session, SessionId, StoreError, WriteOutcome,
};
use crate::store::redis::RedisStore;
use crate::store::redis::connection::reply::{owner, read};
use crate::store::redis::keys::{ended_key, list_key, seconds, session_key};
use crate::store::redis::sessions::index::{LENGTHEN, LIST, Removed};
use crate::store::redis::sessions::record;
use crate::store::redis::sessions::record::Fields;

impl RedisStore {
    pub(in crate::store::redis) async fn do_create(
        &self,
        new: &NewSession<'_>,
    ) -> Result<Created, StoreError> {
        let now = self.clock.now();
        let NewSession { id, session, .. } = *new;
        let left = self
            .lifetimes
            .expires_in(session.created_at, now)
            .unwrap_or_default();
        let (listed, seconds, micros) = self.write_new(id, session, now, left).await?;
        self.server_time
            .heard((seconds, micros), now, self.clock.now());
        if self.connections.is_cluster() {
            // There the hash is written after the list, and twice if a reply is lost: somebody who ended it in between
            // has taken it off the list.
            self.see_to_list(id, &session.user);
        } else {
            self.relisting.is_listed(id);
            self.relisting.remember(id, &session.user);
        }
        let mut created = Created::default();
        if let Some((replaced, why)) = new.replaced {
            created.replaced = self.do_delete(replaced, why).await?;
        }
        if listed > new.limit {
            created.evicted = self.trim(new).await?;
        }
        Ok(created)
    }

    /// Lists a session and writes it: in one step, or in a cluster, where the two keys lie apart, one after the other.
    /// Says how many of its user's sessions are listed now, and Redis' time.
    ///
    /// Listed first: what is not listed cannot be ended by those who end all, what is listed without being there harms
    /// nobody. What cannot be listed (because the list's key holds something else, say) is not written either.
    async fn write_new(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
        left: Duration,
    ) -> Result<(usize, u64, u64), StoreError> {
        let age = session
            .created_at
            .map(|created_at| now.duration_since(created_at).unwrap_or_default());
        let arguments = NewHash { session, age, left };
        if self.connections.is_cluster() {
            let list = self.list_command(id, &session.user);
            let mut pipeline = Pipeline::with_capacity(1);
            let (listed,) = self.connections.run(pipeline.add_command(list)).await?;
            let mut create = cmd("EVAL");
            create.arg(CREATE).arg(1).arg(session_key(id));
            // What the list's script takes.
            create.arg("").arg("");
            arguments.append_to(&mut create);
            let mut pipeline = Pipeline::with_capacity(1);
            let ((),) = self.connections.run(pipeline.add_command(create)).await?;
            return Ok(listed);
        }
        let mut both = cmd("EVAL");
        both.arg([LIST, LENGTHEN, CREATE, "return listed"].concat())
            .arg(2)
            .arg(list_key(&session.user))
            .arg(session_key(id))
            .arg(seconds(self.list_lifetime()))
            .arg(id.to_string());
        arguments.append_to(&mut both);
        let mut pipeline = Pipeline::with_capacity(1);
        let (listed,) = self.connections.run(pipeline.add_command(both)).await?;
        Ok(listed)
    }

    pub(in crate::store::redis) async fn do_touch(
        &self,
        id: &SessionId,
    ) -> Result<Option<ActiveSession>, StoreError> {
        let now = self.clock.now();
        let key = session_key(id);
        let mut pipeline = Pipeline::with_capacity(3);
        pipeline.hgetall(&key).expire(&key, seconds(self.longest()));
        // In a cluster the list lies elsewhere.
        let user = (!self.connections.is_cluster()).then(|| self.relisting.user_of(id));
        if let Some(user) = user.flatten() {
            pipeline.zscore(list_key(&user), id.to_string());
        }
        let mut answers = self.send_dated(&mut pipeline).await?;
        let listing = match answers.split_off(2).pop() {
            None => InList::Unknown,
            Some(Value::Nil) => InList::No,
            // A key that holds something else is no reason to refuse a visitor.
            Some(_) => InList::Yes,
        };
        let (fields, slid): (Fields, bool) = read(answers)?;
        let Some(session) = self.session(fields).filter(|_| slid) else {
            return Ok(None);
        };
        if session
            .created_at
            .is_some_and(|created_at| created_at > now + FUTURE)
        {
            self.date(id).await?;
        }
        let alive = self.settle(id, &session, now, listing).await?;
        if !alive {
            return Ok(None);
        }
        Ok(ActiveSession::new(
            session,
            self.lifetimes.idle,
            &self.lifetimes,
            now,
        ))
    }

    /// The rest of a touch that the first round trip could not do, because it did not know the session yet.
    ///
    /// Says whether the session is alive.
    pub(in crate::store::redis) async fn settle(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
        listing: InList,
    ) -> Result<bool, StoreError> {
        let Some(left) = self.lifetimes.expires_in(session.created_at, now) else {
            self.remove(&session.user, &[*id], None).await?;
            return Ok(false);
        };
        if left < self.longest() {
            let key = session_key(id);
            let mut pipeline = Pipeline::with_capacity(1);
            let ((),) = self
                .connections
                .run(pipeline.expire(key, seconds(left)))
                .await?;
        }
        // Only these outlive the end that their user's list was given at sign-in, if it was.
        if session.created_at.is_none() || self.lifetimes.absolute.is_none() {
            return self.enlist(id, &session.user).await;
        }
        match listing {
            InList::No => self.enlist(id, &session.user).await,
            InList::Yes => {
                self.see_to_list(id, &session.user);
                Ok(true)
            }
            InList::Unknown => {
                self.see_to_list_first(id, &session.user).await;
                Ok(true)
            }
        }
    }

    pub(in crate::store::redis) async fn do_peek(
        &self,
        id: &SessionId,
    ) -> Result<Option<ActiveSession>, StoreError> {
        let now = self.clock.now();
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.hgetall(session_key(id)).pttl(session_key(id));
        let (fields, left): (Fields, i64) = self.run_dated(&mut pipeline).await?;
        Ok(self.live(fields, left, now))
    }

    /// A session as it was read, its beginning by the process' own clock.
    fn session(&self, fields: Fields) -> Option<Session> {
        let mut session = record::session(fields)?;
        session.created_at = session.created_at.map(|it| self.server_time.to_ours(it));
        Some(session)
    }

    /// Lets a session that begins in the future by Redis' clock begin now: else it would have its absolute limit, and
    /// the time until then besides. (Written before clocks were Redis' affair, or Redis' own clock has been set back.)
    async fn date(&self, id: &SessionId) -> Result<(), StoreError> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.cmd("EVAL").arg(DATE).arg(1).arg(session_key(id));
        match self.connections.run::<((),)>(&pipeline).await {
            // With full memory it stays as it is for the time being: its visitor should not suffer for it.
            Err(StoreError::Failed(problem)) => {
                tracing::warn!(
                    problem,
                    "a session that begins in the future could not be dated"
                );
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// A session as it was read with the milliseconds that its key has left.
    pub(in crate::store::redis) fn live(
        &self,
        fields: Fields,
        left: i64,
        now: SystemTime,
    ) -> Option<ActiveSession> {
        let session = self.session(fields)?;
        if left == GONE {
            return None;
        }
        // No expiry: another program has not got to it yet.
        let left = u64::try_from(left).map_or(self.lifetimes.idle, Duration::from_millis);
        ActiveSession::new(session, left, &self.lifetimes, now)
    }

    pub(in crate::store::redis) async fn do_delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        if let Some(user) = self.user_of(id).await? {
            let Removed { ended, failure, .. } = self.remove(&user, &[*id], Some(why)).await?;
            return failure.map_or(Ok((!ended.is_empty()).then_some(user)), Err);
        }
        // The key may hold what nobody can read, and the visitor wants to be rid of it.
        let ((),) = self
            .connections
            .run(Pipeline::new().del(session_key(id)))
            .await?;
        Ok(None)
    }

    /// Whose session it is; `None` where there is none, or a key that holds something else.
    pub(in crate::store::redis) async fn user_of(
        &self,
        id: &SessionId,
    ) -> Result<Option<String>, StoreError> {
        let look = Cmd::hget(session_key(id), record::USER);
        owner(self.connections.run_each([vec![look]]).await?)
    }

    pub(in crate::store::redis) async fn do_ended(
        &self,
        id: &SessionId,
    ) -> Result<Option<EndedSession>, StoreError> {
        let (text,): (Option<String>,) = self
            .connections
            .run(Pipeline::new().get(ended_key(id)))
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| StoreError::Unreadable(Box::new(error)))
    }

    pub(in crate::store::redis) async fn do_write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let mut pipeline = Pipeline::new();
        let command = pipeline
            .cmd("EVAL")
            .arg(WRITE)
            .arg(1)
            .arg(session_key(id))
            .arg(field)
            .arg(limit);
        if let Some(value) = value {
            command.arg(value);
        }
        let (written,): (i64,) = self.connections.run(&pipeline).await?;
        Ok(match written {
            0 => WriteOutcome::NoSession,
            1 => WriteOutcome::Written,
            _ => WriteOutcome::TooManyFields,
        })
    }
}

/// Whether a touch has found the session in its user's list.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::redis) enum InList {
    Yes,
    No,
    /// It did not know whose session it is.
    Unknown,
}

/// What `PTTL` answers where there is no key.
pub(in crate::store::redis) const GONE: i64 = -2;

/// How far in the future a session may begin without being dated anew: more than instances' readings of Redis' clock
/// can be apart.
const FUTURE: Duration = Duration::from_secs(5);

/// What a session's hash is made of.
struct NewHash<'a> {
    session: &'a Session,
    age: Option<Duration>,
    left: Duration,
}

impl NewHash<'_> {
    /// As [`CREATE`] takes it.
    fn append_to(&self, command: &mut Cmd) {
        command.arg(seconds(self.left)).arg(
            self.age
                .map_or_else(String::new, |age| age.as_secs_f64().to_string()),
        );
        for (name, value) in record::pairs(self.session) {
            command.arg(name).arg(value);
        }
    }
}

/// Writes a session, the last of its keys, together with its end, and with its beginning by Redis' clock (by its age, if
/// that is known). The first two arguments are [`LIST`]'s.
///
/// A script and not a transaction: to a slot that moves only single commands can be sent; and a transaction would go on
/// after a part of it that failed.
const CREATE: &str = r"
local key = KEYS[#KEYS]
redis.call('HSET', key, unpack(ARGV, 5))
if ARGV[4] ~= '' then
  local time = redis.call('TIME')
  local created = math.floor(time[1] + time[2] / 1000000 - ARGV[4])
  redis.call('HSET', key, '_created', string.format('%.0f', created))
end
redis.call('EXPIRE', key, ARGV[3])
";

/// Lets a session begin now that begins later, if it is there.
const DATE: &str = r"
local created = tonumber(redis.call('HGET', KEYS[1], '_created') or '')
local now = redis.call('TIME')[1]
if created and created > tonumber(now) then redis.call('HSET', KEYS[1], '_created', now) end
";

/// Writes (with a value) or removes a field, if there is a session: 0 there is none, 1 done, 2 no room.
///
/// A script, because the test and the write must be one step: it may touch only the one key that it is given.
const WRITE: &str = r"
if redis.call('HEXISTS', KEYS[1], 'user') == 0 then return 0 end
if not ARGV[3] then redis.call('HDEL', KEYS[1], ARGV[1]) return 1 end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  local fields = 0
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if name ~= 'user' and name ~= 'status' and string.sub(name, 1, 1) ~= '_' then fields = fields + 1 end
  end
  if fields >= tonumber(ARGV[2]) then return 2 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
";
