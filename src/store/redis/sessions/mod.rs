//! Sessions: their hashes, and the sorted sets that list them.

mod hash;
mod index;
mod known_sessions;
mod record;
mod relisting;
mod scan;
mod server_time;
mod stats;
pub(crate) mod store;

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, Pipeline, Value};

use self::hash::{NO_KEY, WRITE};
use self::index::eval;
use self::record::Fields;
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
        let (listed, time) = self.write_new(id, session, now).await?;
        self.server_time.set(time, now, self.clock.now());
        if self.client.is_cluster() {
            // There the hash is written after the list, and twice if a reply is lost: if the session was ended in
            // between, it has left the list.
            self.relist_later(id, &session.user);
        } else {
            self.known.set_listed(id, &session.user);
        }
        let mut created = Created::default();
        if let Some((replaced, why)) = new.replaced {
            created.replaced = self.delete(replaced, why).await?;
        }
        if listed > new.limit {
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
        // In a cluster the list lies elsewhere.
        if let Some(known) = known.as_ref().filter(|_| !self.client.is_cluster()) {
            commands.zscore(list_key(&known.user), id.to_string());
        }
        let mut answers = self.send_dated(&mut commands).await?;
        let score = answers.split_off(2).pop();
        let (fields, slid): (Fields, bool) = read(answers)?;
        let Some(session) = self.session(fields).filter(|_| slid) else {
            return Ok(None);
        };
        self.date_if_in_future(id, &session, now).await?;
        let Some(left) = self.lifetimes.expires_in(session.created_at, now) else {
            self.remove(&session.user, &[*id], None).await?;
            return Ok(None);
        };
        if left < self.max_expiry() {
            let expire = Cmd::expire(&key, seconds(left));
            self.client.query_one::<()>(expire).await?;
        }
        // Only these outlive the end that their user's list was given at sign-in, if it was.
        let outlives_list = session.created_at.is_none() || self.lifetimes.absolute.is_none();
        // A key that holds something else is no reason to refuse a visitor.
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
        let (idle, lifetimes) = (self.lifetimes.idle, &self.lifetimes);
        Ok(ActiveSession::new(session, idle, lifetimes, now))
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let now = self.clock.now();
        let mut commands = Pipeline::with_capacity(3);
        commands.hgetall(session_key(id)).pttl(session_key(id));
        let (fields, left): (Fields, i64) = self.query_dated(&mut commands).await?;
        Ok(self.active(fields, left, now))
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
        let mut over = Vec::new();
        for (id, answers) in ids.iter().zip(self.read_each(&ids).await?) {
            // One key that holds something else must not hide the others, nor a node that does not answer.
            let (fields, left) = match answers {
                Ok(answers) => answers,
                Err(_) if self.client.is_cluster() => {
                    listing.complete = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if left == NO_KEY || !fields.are_a_session() {
                over.push(*id);
            // One that has reached its absolute limit is not shown, and left to Redis to remove: another instance may
            // have another limit.
            } else if let Some(active) = self.active(fields, left, now) {
                listing.sessions.push((SessionHandle::from(id), active));
            }
        }
        self.remove_stale(user, &over).await?;
        Ok(listing)
    }

    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let restore = self.restore(users, &ids);
            if let Err(error) = self.client.with_timeout(restore).await {
                scan.leave_out(error);
            }
        }
        scan.finish()
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        if let Some(user) = self.user_of(id).await? {
            let removed = self.remove(&user, &[*id], Some(why)).await?;
            return removed.user_if_ended(user);
        }
        // The key may hold something else than a hash, and its visitor wants to leave.
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
        let mut seen = self.partition_alive(ids).await?;
        self.remove_stale(user, &seen.over).await?;
        let removed = self.remove(user, &seen.alive, Some(why)).await?;
        // Those that were alive before: where a lost reply made the client delete twice, the second answer says 0.
        seen.alive.retain(|id| !removed.left.contains(id));
        Ok(EndOutcome {
            ended: seen.alive.iter().map(SessionHandle::from).collect(),
            failure: seen.failure.or(removed.failure),
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
                Err(error) => scan.leave_out(error),
            }
        }
        scan.finish()
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let mut named = Vec::new();
        let mut scan = self.scan().await?;
        while let Some(ids) = scan.next().await {
            let ids = ids.into_iter();
            named.extend(ids.filter(|id| prefix.includes(SessionHandle::from(id))));
        }
        scan.finish()?;
        named.sort_by_key(|id| SessionHandle::from(id));
        named.dedup();
        self.active_among(&named).await
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
                        scan.leave_out(failure);
                    }
                }
                Err(error) => scan.leave_out(error),
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
        let mut write = eval(WRITE, &[&session_key(id)]);
        write.arg(field).arg(limit).arg(value);
        Ok(match self.client.query_one(write).await? {
            0 => WriteOutcome::NoSession,
            1_i64 => WriteOutcome::Written,
            _ => WriteOutcome::TooManyFields,
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.client.check().await
    }

    async fn stats(&self) -> StoreStats {
        let sample = self.draw_sample().await.ok();
        StoreStats {
            active: sample.as_ref().map(Sample::estimate),
            active_error: sample.as_ref().map(Sample::error),
            circuit_open: Some(self.client.is_unavailable()),
            connections: Some(self.client.count()),
            ..StoreStats::default()
        }
    }
}
