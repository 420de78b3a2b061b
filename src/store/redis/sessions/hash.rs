//! One session's hash: writing and reading it.

use std::time::{Duration, SystemTime};

use deadpool_redis::redis::Cmd;

use crate::session::{ActiveSession, Session, SessionId, StoreError};
use crate::store::redis::keys::{list_key, seconds, session_key};
use crate::store::redis::sessions::index::{LENGTHEN, LIST, eval};
use crate::store::redis::sessions::record::{self, Fields};
use crate::store::redis::sessions::server_time::Time;
use crate::store::redis::sessions::store::RedisStore;

/// What `PTTL` answers where there is no key.
pub(crate) const NO_KEY: i64 = -2;

/// How far in the future a session may begin without being dated anew: more than instances' readings of Redis' clock
/// can be apart.
const FUTURE: Duration = Duration::from_secs(5);

impl RedisStore {
    /// Lists a session and writes it: in one step, or in a cluster, where the two keys lie apart, one after the other.
    /// Says how many of its user's sessions are listed now, and Redis' time.
    ///
    /// Listed first: a session that is not listed escapes when all of its user's sessions are ended, and an entry without a
    /// session does no harm. What cannot be listed (the list's key holds something else, say) is not written either.
    pub(crate) async fn write_new(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
    ) -> Result<(usize, Time), StoreError> {
        let age = session
            .created_at
            .map(|created_at| now.duration_since(created_at).unwrap_or_default());
        let expires_in = self.lifetimes.expires_in(session.created_at, now);
        let append_hash = |command: &mut Cmd| {
            command
                .arg(seconds(expires_in.unwrap_or_default()))
                .arg(age.map_or_else(String::new, |age| age.as_secs_f64().to_string()))
                .arg(record::pairs(session));
        };
        if self.client.is_cluster() {
            let list = self.list_command(id, &session.user);
            let (listed, seconds, micros) = self.client.query_one(list).await?;
            let mut create = eval(CREATE, &[&session_key(id)]);
            // In place of the arguments of `LIST`.
            create.arg("").arg("");
            append_hash(&mut create);
            self.client.query_one::<()>(create).await?;
            return Ok((listed, (seconds, micros)));
        }
        let script = [LIST, LENGTHEN, CREATE, "return listed"].concat();
        let mut both = eval(&script, &[&list_key(&session.user), &session_key(id)]);
        both.arg(seconds(self.list_expiry())).arg(id.to_string());
        append_hash(&mut both);
        let (listed, seconds, micros) = self.client.query_one(both).await?;
        Ok((listed, (seconds, micros)))
    }

    /// The hashes of several sessions, each with the milliseconds that its key has left.
    pub(crate) async fn read_each(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<Result<(Fields, i64), StoreError>>, StoreError> {
        let look = ids.iter().map(|id| {
            let key = session_key(id);
            vec![Cmd::hgetall(&key), Cmd::pttl(&key)]
        });
        let answers = self.ask_each(look.collect()).await?.into_iter();
        Ok(answers
            .map(|answers| answers.and_then(record::fields_and_pttl))
            .collect())
    }

    /// A session as it was read, its beginning by the process' own clock.
    pub(crate) fn session(&self, fields: Fields) -> Option<Session> {
        let mut session = record::session(fields)?;
        session.created_at = session.created_at.map(|it| self.server_time.to_local(it));
        Some(session)
    }

    /// A session as it was read with the milliseconds that its key has left.
    pub(crate) fn active(
        &self,
        fields: Fields,
        left: i64,
        now: SystemTime,
    ) -> Option<ActiveSession> {
        let session = self.session(fields)?;
        if left == NO_KEY {
            return None;
        }
        // Without an expiry: another program is about to set one.
        let left = u64::try_from(left).map_or(self.lifetimes.idle, Duration::from_millis);
        ActiveSession::new(session, left, &self.lifetimes, now)
    }

    /// Lets a session that begins in the future by Redis' clock begin now: else it would have its absolute limit, and
    /// the time until then besides. (Written before Redis' clock dated sessions, or that clock has been set back.)
    pub(crate) async fn date_if_in_future(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        if session.created_at.is_none_or(|at| at <= now + FUTURE) {
            return Ok(());
        }
        match self.client.query_one(eval(DATE, &[&session_key(id)])).await {
            // With full memory it stays as it is for the time being: its visitor should not suffer for it.
            Err(StoreError::Failed(error)) => {
                tracing::warn!(
                    error,
                    "a session that begins in the future could not be dated"
                );
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Whose session it is; `None` where there is none, or a key that holds something else.
    pub(crate) async fn user_of(&self, id: &SessionId) -> Result<Option<String>, StoreError> {
        let look = Cmd::hget(session_key(id), record::USER);
        record::owner(self.client.pipeline([vec![look]]).await?)
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
pub(crate) const WRITE: &str = r"
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
