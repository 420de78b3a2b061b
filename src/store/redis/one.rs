//! One session: beginning, using, ending it.

use std::time::{Duration, SystemTime};

use deadpool_redis::redis::{Cmd, Pipeline, cmd};

use super::RedisStore;
use super::answers::{owner, read};
use super::layout::{ending_key, seconds, session_key};
use super::record::{self, Fields};
use crate::session::{
    Displaced, Ending, Live, NewSession, Session, SessionId, StoreError, Written,
};

impl RedisStore {
    pub(super) async fn do_create(&self, new: &NewSession<'_>) -> Result<Displaced, StoreError> {
        let now = self.clock.now();
        let NewSession { id, session, .. } = *new;
        let left = self
            .lifetimes
            .left(session.created_at, now)
            .unwrap_or_default();
        // Listed first: what is not listed cannot be ended by those who end all, what is listed without being there
        // harms nobody.
        let answers = self
            .connections
            .run_together(vec![
                self.list_command(id, &session.user),
                create_command(id, session, left),
            ])
            .await?;
        let (listed, ()): (usize, ()) = read(answers)?;
        let mut displaced = Displaced::default();
        if let Some((replaced, why)) = new.replaced {
            displaced.replaced = self.do_delete(replaced, why).await?;
        }
        if listed > new.most {
            displaced.oldest = self.trim(new).await?;
        }
        Ok(displaced)
    }

    pub(super) async fn do_touch(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let now = self.clock.now();
        let key = session_key(id);
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.hgetall(&key).expire(&key, seconds(self.longest()));
        let (fields, slid): (Fields, bool) = self.connections.run(&pipeline).await?;
        let Some(session) = record::session(fields).filter(|_| slid) else {
            return Ok(None);
        };
        let alive = self.settle(id, &session, now).await?;
        Ok(alive.then_some(session))
    }

    /// The rest of a touch that the first round trip could not do, because it did not know the session yet.
    ///
    /// Says whether the session is alive.
    pub(super) async fn settle(
        &self,
        id: &SessionId,
        session: &Session,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(left) = self.lifetimes.left(session.created_at, now) else {
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
        Ok(true)
    }

    pub(super) async fn do_peek(&self, id: &SessionId) -> Result<Option<Live>, StoreError> {
        let now = self.clock.now();
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.hgetall(session_key(id)).pttl(session_key(id));
        let (fields, left): (Fields, i64) = self.connections.run(&pipeline).await?;
        Ok(self.live(fields, left, now))
    }

    /// A session as it was read with the milliseconds that its key has left.
    pub(super) fn live(&self, fields: Fields, left: i64, now: SystemTime) -> Option<Live> {
        let session = record::session(fields)?;
        let longest = self.lifetimes.left(session.created_at, now)?;
        if left == GONE {
            return None;
        }
        let left = match u64::try_from(left) {
            Ok(left) => Duration::from_millis(left).min(longest),
            // No expiry: another program has not got to it yet.
            Err(_) => longest,
        };
        Some(Live { session, left })
    }

    pub(super) async fn do_delete(
        &self,
        id: &SessionId,
        why: &Ending,
    ) -> Result<Option<String>, StoreError> {
        if let Some(user) = self.user_of(id).await? {
            let removed = self.remove(&user, &[*id], Some(why)).await?;
            return Ok((removed > 0).then_some(user));
        }
        // The key may hold what nobody can read, and the visitor wants to be rid of it.
        let ((),) = self
            .connections
            .run(Pipeline::new().del(session_key(id)))
            .await?;
        Ok(None)
    }

    /// Whose session it is; `None` where there is none, or a key that holds something else.
    async fn user_of(&self, id: &SessionId) -> Result<Option<String>, StoreError> {
        let look = Cmd::hget(session_key(id), record::USER);
        owner(self.connections.run_each([vec![look]]).await?)
    }

    pub(super) async fn do_ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError> {
        let (text,): (Option<String>,) = self
            .connections
            .run(Pipeline::new().get(ending_key(id)))
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| StoreError::Unreadable(Box::new(error)))
    }

    pub(super) async fn do_write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        most: usize,
    ) -> Result<Written, StoreError> {
        let mut pipeline = Pipeline::new();
        let command = pipeline
            .cmd("EVAL")
            .arg(WRITE)
            .arg(1)
            .arg(session_key(id))
            .arg(field)
            .arg(most);
        if let Some(value) = value {
            command.arg(value);
        }
        let (written,): (i64,) = self.connections.run(&pipeline).await?;
        Ok(match written {
            0 => Written::Ended,
            1 => Written::Done,
            _ => Written::Full,
        })
    }
}

/// What `PTTL` answers where there is no key.
const GONE: i64 = -2;

fn create_command(id: &SessionId, session: &Session, left: Duration) -> Cmd {
    let mut command = cmd("EVAL");
    command
        .arg(CREATE)
        .arg(1)
        .arg(session_key(id))
        .arg(seconds(left));
    for (name, value) in record::pairs(session) {
        command.arg(name).arg(value);
    }
    command
}

/// Writes a session together with its end.
///
/// A script and not a transaction: to a slot that moves only single commands can be sent.
const CREATE: &str = r"
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
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
