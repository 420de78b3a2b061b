//! `impl SessionStore for RedisStore`: a hash a session, and a sorted set a user that lists them.

mod hash;
pub(crate) mod index;
mod known_sessions;
mod record;
mod relisting;
pub(crate) mod scan;
pub(crate) mod server_time;
mod stats;
pub(crate) mod store;

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, Pipeline, Value};

use self::hash::{PTTL_NO_KEY, WRITE};
use self::index::eval;
use self::record::Stored;
use self::stats::Sample;
use self::store::RedisStore;
use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Listing, NewSession, Selection,
    SessionHandle, SessionId, SessionStore, StoreError, StoreStats, WriteOutcome,
};
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::{ended_key, list_key, seconds, session_key};

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        let now = self.clock.now();
        let NewSession { id, session, .. } = *new;
        let known = new
            .replaced
            .and_then(|(replaced, _)| self.known_on_one_server(replaced));
        let replaced = known.as_ref().map(|known| &*known.user);
        let written = self.write_new(new, replaced, now).await?;
        self.server_time.set(written.time, now, self.clock.now());
        if self.client.is_cluster() {
            // In a cluster the hash is written after the list, and twice if a reply is lost. If the session was ended
            // between the two writes, the list has lost it.
            self.relist_later(id, &session.user);
        } else {
            self.known.set_listed(id, &session.user);
        }
        let mut created = Created {
            replaced: written.replaced,
            ..Created::default()
        };
        if let Some((replaced, why)) = new.replaced.filter(|_| known.is_none()) {
            created.replaced = self.delete(replaced, why).await?;
        }
        if written.listed > new.limit {
            created.evicted = self.trim(new).await?;
        }
        Ok(created)
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let now = self.clock.now();
        let key = session_key(id);
        let mut commands = Pipeline::with_capacity(4);
        commands
            .hgetall(&key)
            .expire(&key, seconds(self.max_expiry()));
        let known = self.known.get(id);
        // In a cluster the list may lie on another node.
        if let Some(known) = known.as_ref().filter(|_| !self.client.is_cluster()) {
            commands.zscore(list_key(&known.user), id.to_string());
        }
        let mut answers = self.send_with_time(&mut commands).await?;
        let score = answers.split_off(2).pop();
        let (stored, slid): (Stored, bool) = read(answers)?;
        let Some(session) = self.session(stored).filter(|_| slid) else {
            return Ok(None);
        };
        self.correct_creation_time(id, &session, now).await?;
        let Some(left) = self.lifetimes.expires_in(session.created_at, now) else {
            self.remove(&session.user, &[*id], None).await?;
            return Ok(None);
        };
        if left < self.max_expiry() {
            let expire = Cmd::expire(&key, seconds(left));
            self.client.query_one::<()>(expire).await?;
        }
        // Only such a session can outlive its user's list, whose expiry was set at sign-in, if at all.
        let outlives_list = session.created_at.is_none() || self.lifetimes.absolute.is_none();
        // An error (the list's key holds another type, say) is no reason to refuse the request.
        let is_unlisted = matches!(score, Some(Value::Nil));
        if outlives_list || is_unlisted {
            if !self.add(id, &session.user).await? {
                return Ok(None);
            }
        } else if let Some(known) = known {
            if known.is_due {
                self.relist_later(id, &session.user);
            }
        } else {
            self.relist_first(id, &session.user).await;
        }
        let idle = self.lifetimes.idle;
        Ok(ActiveSession::new(session, idle, &self.lifetimes, now))
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let now = self.clock.now();
        let mut commands = Pipeline::with_capacity(3);
        commands.hgetall(session_key(id)).pttl(session_key(id));
        let (stored, pttl): (Stored, i64) = self.query_with_time(&mut commands).await?;
        Ok(self.active(stored, pttl, now))
    }

    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        let mut ids = self.listed(user).await?;
        if let Some(reader) = reader.filter(|reader| !ids.contains(reader))
            && self.add(reader, user).await?
        {
            ids.push(*reader);
        }
        let now = self.clock.now();
        let mut listing = Listing {
            sessions: Vec::new(),
            complete: true,
        };
        let mut missing = Vec::new();
        for (id, answers) in ids.iter().zip(self.read_each(&ids).await?) {
            // Neither a key of another type nor a node that does not answer may hide the other sessions.
            let (stored, pttl) = match answers {
                Ok(answers) => answers,
                Err(_) if self.client.is_cluster() => {
                    listing.complete = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if pttl == PTTL_NO_KEY || stored.0.is_none() {
                missing.push(*id);
            // A session beyond our absolute limit is not shown, but only its key's expiry removes it: another instance
            // may have a longer limit.
            } else if let Some(active) = self.active(stored, pttl, now) {
                listing.sessions.push((SessionHandle::from(id), active));
            }
        }
        self.remove_stale(user, &missing).await?;
        Ok(listing)
    }

    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let restore = self.restore(users, &ids);
            if let Err(error) = self.client.with_timeout(restore).await {
                scan.skip_server(error);
            }
        }
        scan.finish()
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        if let Some(known) = self.known_on_one_server(id) {
            let ended = self.end_one(id, &known.user, why).await?;
            return Ok(ended.then(|| (*known.user).to_owned()));
        }
        if let Some(user) = self.user_of(id).await? {
            let removed = self.remove(&user, &[*id], Some(why)).await?;
            return removed.user_if_ended(user);
        }
        // No session, but the key may hold another type, and the client must be signed out all the same.
        let delete = Cmd::del(session_key(id));
        self.client.query_one::<()>(delete).await?;
        Ok(None)
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let mut ids = self.listed(user).await?;
        ids.retain(|id| selection.includes(SessionHandle::from(id)));
        let mut listed = self.partition_alive(ids).await?;
        self.remove_stale(user, &listed.missing).await?;
        let removed = self.remove(user, &listed.alive, Some(why)).await?;
        // Not `removed.ended`: where a lost reply made the client send `DEL` twice, the second answer is 0.
        listed.alive.retain(|id| !removed.failed.contains(id));
        Ok(EndOutcome {
            ended: listed.alive.iter().map(SessionHandle::from).collect(),
            failure: listed.failure.or(removed.failure),
        })
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            match self.active_among(&ids).await {
                Ok(active) => active
                    .into_iter()
                    .for_each(|(handle, active)| found(handle, active)),
                Err(error) => scan.skip_server(error),
            }
        }
        scan.finish()
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let mut matching = Vec::new();
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let ids = ids.into_iter();
            matching.extend(ids.filter(|id| prefix.includes(SessionHandle::from(id))));
        }
        scan.finish()?;
        matching.sort_by_key(|id| SessionHandle::from(id));
        matching.dedup();
        self.active_among(&matching).await
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        let mut ended = Vec::new();
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let remove = self.remove_all(&ids, why);
            match self.client.with_timeout(remove).await {
                Ok(removed) => {
                    ended.extend(removed.ended.iter().map(SessionHandle::from));
                    if let Some(failure) = removed.failure {
                        scan.skip_server(failure);
                    }
                }
                Err(error) => scan.skip_server(error),
            }
        }
        let failure = scan.finish().err();
        Ok(EndOutcome { ended, failure })
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let Some(id) = ids.into_iter().find(|id| SessionHandle::from(id) == handle) else {
                continue;
            };
            let remove = async {
                let Some(user) = self.user_of(&id).await? else {
                    return Ok(None);
                };
                let removed = self
                    .remove(&user, &[id], Some(&why.with_user(&user)))
                    .await?;
                removed.user_if_ended(user)
            };
            return self.client.with_timeout(remove).await;
        }
        scan.finish()?;
        Ok(None)
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        let text: Option<String> = self.client.query_one(Cmd::get(ended_key(id))).await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| StoreError::Unreadable(Box::new(error)))
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let mut write = eval(WRITE, &[session_key(id)]);
        write.arg(field).arg(limit).arg(value);
        Ok(match self.client.query_one(write).await? {
            0 => WriteOutcome::NoSession,
            1_i64 => WriteOutcome::Written,
            _ => WriteOutcome::TooManyFields,
        })
    }

    async fn write_others(
        &self,
        user: &str,
        except: &SessionId,
        field: &str,
        value: &str,
    ) -> Result<usize, StoreError> {
        let ids = self.listed(user).await?;
        let others = ids.iter().filter(|id| *id != except);
        let writes = others.map(|id| {
            let mut write = eval(WRITE, &[session_key(id)]);
            write.arg(field).arg(0).arg(value);
            vec![write]
        });
        let answers = self.query_each(writes.collect()).await?;
        let written = answers.into_iter().filter_map(Result::ok);
        let written = written.filter(|answer| matches!(answer.as_slice(), [Value::Int(1)]));
        Ok(written.count())
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.client.check().await
    }

    async fn stats(&self) -> StoreStats {
        let sample = self.sample_keys().await.ok();
        StoreStats {
            active: sample.as_ref().map(Sample::estimate),
            active_error: sample.as_ref().map(Sample::error),
            circuit_open: Some(self.client.is_unavailable()),
            connections: Some(self.client.count()),
            ..StoreStats::default()
        }
    }
}
