//! Writes and reads a session's hash.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use deadpool_redis::redis::Cmd;

use crate::session::{ActiveSession, NewSession, Session, SessionId, StoreError};
use crate::store::redis::keys::{list_key, seconds, session_key};
use crate::store::redis::sessions::index::{CLOCK, LIST, LISTED, end_keys, end_script, eval};
use crate::store::redis::sessions::record::{self, Stored};
use crate::store::redis::sessions::server_time::Time;
use crate::store::redis::sessions::store::RedisStore;

/// The answer to `PTTL` where there is no key.
pub(crate) const PTTL_NO_KEY: i64 = -2;

/// How far in the future a session's creation may lie without being corrected: more than the instances' readings of
/// Redis' clock can differ.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// What a sign-in has written.
pub(crate) struct WrittenNew {
    /// How many of the user's sessions are listed now.
    pub(crate) listed: usize,
    pub(crate) time: Time,
    /// The user of the session that the new one takes the place of, if that ended with the same command.
    pub(crate) replaced: Option<String>,
}

impl RedisStore {
    /// Lists a session, writes it, and ends the one that it takes the place of, if `replaced` is its user: in one script. In a
    /// cluster, where the keys are on different nodes, lists and writes in two, and ends nothing.
    ///
    /// Listed first: an unlisted session would survive the end of all its user's sessions, while an entry without a
    /// session does no harm. A session that cannot be listed (the list's key holds another type, say) is not written
    /// either, and then nothing ends.
    pub(crate) async fn write_new(
        &self,
        new: &NewSession<'_>,
        replaced: Option<&str>,
        now: SystemTime,
    ) -> Result<WrittenNew, StoreError> {
        let NewSession { id, session, .. } = *new;
        if self.client.is_cluster() {
            let list = self.list_command(id, &session.user);
            let (listed, seconds, micros) = self.client.query_one(list).await?;
            let script = [CLOCK, "local key = KEYS[1]", CREATE].concat();
            let mut create = eval(&script, &[session_key(id)]);
            // The arguments that `LIST` and `end_script` would take.
            create.arg(&["", "", "", "", ""]);
            self.append_hash(&mut create, session, now);
            self.client.query_one::<()>(create).await?;
            return Ok(WrittenNew {
                listed,
                time: (seconds, micros),
                replaced: None,
            });
        }
        let mut keys = vec![list_key(&session.user), session_key(id)];
        let (mut script, mut arguments) = (&SIGN_IN, <[String; 3]>::default());
        if let (Some((replaced, why)), Some(user)) = (new.replaced, replaced) {
            keys.extend(end_keys(replaced, user));
            (script, arguments) = (&SIGN_IN_INSTEAD, self.end_arguments(replaced, why));
        }
        let mut command = eval(script, &keys);
        command
            .arg(seconds(self.list_expiry()))
            .arg(id.to_string())
            .arg(&arguments);
        self.append_hash(&mut command, session, now);
        let (listed, seconds, micros, ended) = self.client.query_one(command).await?;
        Ok(WrittenNew {
            listed,
            time: (seconds, micros),
            replaced: replaced.filter(|_| ended).map(str::to_owned),
        })
    }

    fn append_hash(&self, command: &mut Cmd, session: &Session, now: SystemTime) {
        let age = session
            .created_at
            .map(|created_at| now.duration_since(created_at).unwrap_or_default());
        let expires_in = self.lifetimes.expires_in(session.created_at, now);
        command
            .arg(seconds(expires_in.unwrap_or_default()))
            .arg(age.map_or_else(String::new, |age| age.as_secs_f64().to_string()))
            .arg(record::client(&session.client));
        for (name, value) in record::pairs(session) {
            command.arg(name).arg(value);
        }
    }

    /// The hashes of several sessions, each with its key's `PTTL`.
    pub(crate) async fn read_each(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<Result<(Stored, i64), StoreError>>, StoreError> {
        let read = ids.iter().map(|id| {
            let key = session_key(id);
            vec![Cmd::hgetall(&key), Cmd::pttl(&key)]
        });
        let answers = self.query_each(read.collect()).await?.into_iter();
        let sessions = answers.map(|answers| answers.and_then(record::session_and_pttl));
        Ok(sessions.collect())
    }

    /// A session as it is stored, its creation converted to the process' own clock.
    pub(crate) fn session(&self, Stored(session): Stored) -> Option<Session> {
        let mut session = session?;
        session.created_at = session.created_at.map(|at| self.server_time.to_local(at));
        Some(session)
    }

    /// A session as it is stored, by its key's `PTTL`; `None` if it has expired.
    pub(crate) fn active(
        &self,
        stored: Stored,
        pttl: i64,
        now: SystemTime,
    ) -> Option<ActiveSession> {
        let session = self.session(stored)?;
        if pttl == PTTL_NO_KEY {
            return None;
        }
        // -1, no expiry: another program is about to set one.
        let left = u64::try_from(pttl).map_or(self.lifetimes.idle, Duration::from_millis);
        ActiveSession::new(session, left, &self.lifetimes, now)
    }

    /// Sets the creation of a session to now if it lies in the future by Redis' clock: else the session would outlive
    /// its absolute limit by that much. (It was written by a version that used its own clock, or Redis' clock was set
    /// back.)
    pub(crate) async fn correct_creation_time(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let latest = now + MAX_CLOCK_SKEW;
        if session.created_at.is_none_or(|at| at <= latest) {
            return Ok(());
        }
        let correct = eval(CORRECT_CREATED, &[session_key(id)]);
        match self.client.query_one(correct).await {
            // If Redis' memory is full, it stays as it is for now: the request must not fail because of it.
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

    /// The session's user; `None` if there is no session, or its key holds another type.
    pub(crate) async fn user_of(&self, id: &SessionId) -> Result<Option<String>, StoreError> {
        let get = Cmd::hget(session_key(id), record::USER);
        record::owner(self.client.pipeline([vec![get]]).await?)
    }
}

/// The whole of a sign-in on a single server.
static SIGN_IN: LazyLock<String> = LazyLock::new(|| sign_in(" local ended = 0"));

/// The same, in place of another session.
static SIGN_IN_INSTEAD: LazyLock<String> = LazyLock::new(|| sign_in(&end_script(3, 3)));

fn sign_in(end: &str) -> String {
    [CLOCK, &LIST, " local key = KEYS[2]", CREATE, end, LISTED].concat()
}

/// Writes a session to `key`, with its expiry, and if its age is known with its creation by Redis' clock. The first five
/// arguments are [`LIST`]'s and [`end_script`]'s; then come the expiry, the age, the client and the fields.
///
/// A script and not a transaction: a slot that is being migrated takes only single commands, and a transaction would go
/// on after a command that failed.
const CREATE: &str = r"
local created = ARGV[7] == '' and '-' or string.format('%.0f', math.floor(now - ARGV[7]))
call('HSET', key, '_', created .. ' ' .. ARGV[8], unpack(ARGV, 9))
call('EXPIRE', key, ARGV[6])
";

/// Sets a session's creation to now if it lies in the future, in whichever field it stands.
const CORRECT_CREATED: &str = r"
local now = redis.call('TIME')[1]
local function is_later(created) return created and created > tonumber(now) end
local created = tonumber(redis.call('HGET', KEYS[1], '_created') or '')
if is_later(created) then redis.call('HSET', KEYS[1], '_created', now) end
local origin = redis.call('HGET', KEYS[1], '_') or ''
local created, client = string.match(origin, '^(%d+)(.*)$')
if is_later(tonumber(created or '')) then redis.call('HSET', KEYS[1], '_', now .. client) end
";

/// Writes a field, or removes it if no value is given. Answers 0 if there is no session, 1 if it is done, 2 if the
/// session has as many of the application's fields as it may have; those that begin with `_` are not counted.
///
/// A script, because check and write must be one step. It touches only the one key that it is given.
pub(crate) const WRITE: &str = r"
if redis.call('HEXISTS', KEYS[1], 'user') == 0 then return 0 end
if not ARGV[3] then redis.call('HDEL', KEYS[1], ARGV[1]) return 1 end
if string.sub(ARGV[1], 1, 1) ~= '_' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  local fields = 0
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if name ~= 'user' and name ~= 'status' and string.sub(name, 1, 1) ~= '_' then fields = fields + 1 end
  end
  if fields >= tonumber(ARGV[2]) then return 2 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
";
