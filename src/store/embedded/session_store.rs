//! The embedded store as a [`SessionStore`].

use std::ops::{Bound, RangeBounds};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use redb::{ReadableTable, ReadableTableMetadata};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Listing, NewSession, Selection,
    SessionHandle, SessionId, SessionStore, StoreError, StoreStats, WriteOutcome,
};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::changes::Tables;
use crate::store::embedded::changes::record::Record;
use crate::store::embedded::database::schema::{ENDED, Key, USERS, failed, keys_of, unix_millis};
use crate::store::embedded::writer::{Effect, MAX_ROWS_WHEN_FULL};

/// How many sessions are read at a time, where all are.
const PAGE_SIZE: usize = 1000;

fn key_of(id: &SessionId) -> Key {
    SessionHandle::from(id).to_bytes()
}

impl EmbeddedStore {
    /// Reads a session that is alive at `now`.
    fn read(&self, key: &Key, now: SystemTime) -> Result<Option<ActiveSession>, StoreError> {
        // Read the pending expiry before the table: the writer drops a pending expiry only after it is committed, so in
        // this order one of the two has it.
        let pending = self.pending.get(key);
        self.database.read(|snapshot| {
            let Some(row) = snapshot.sessions.get(key).map_err(failed)? else {
                return Ok(None);
            };
            let expires_at = match pending {
                Some(expires_at) => expires_at,
                None => snapshot.expiry(key)?.unwrap_or_default(),
            };
            let expires_in = expires_at.saturating_sub(unix_millis(now));
            Ok(ActiveSession::new(
                Record::from_bytes(row.value())?.session,
                Duration::from_millis(expires_in),
                &self.lifetimes,
                now,
            ))
        })
    }

    fn read_all(&self, keys: Vec<Key>) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let now = self.clock.now();
        let read = |key| {
            let active = self.read(&key, now).transpose()?;
            Some(active.map(|active| (SessionHandle::from_bytes(key), active)))
        };
        keys.into_iter().filter_map(read).collect()
    }

    /// The next keys after this one, in order; keys of expired sessions too.
    fn keys_after(&self, last: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.keys_in((after, Bound::Unbounded), limit)
    }

    fn keys_in<'a>(
        &self,
        range: impl RangeBounds<&'a Key> + 'a,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        self.database.read(|snapshot| {
            let rows = snapshot.sessions.range(range).map_err(failed)?.take(limit);
            rows.map(|row| Ok(*row.map_err(failed)?.0.value()))
                .collect()
        })
    }
}

#[async_trait]
impl SessionStore for EmbeddedStore {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        let now = self.clock.now();
        let expires_in = self.lifetimes.expires_in(new.session.created_at, now);
        let expires_at = unix_millis(now + expires_in.unwrap_or_default());
        let key = key_of(new.id);
        let record = Record::new(new.session, now);
        let replaced = new.replaced.map(|(id, why)| (key_of(id), why.clone()));
        let (limit, over_limit) = (new.limit, new.over_limit.clone());
        let create = self.writer.commit(Effect::Grows, move |tables| {
            tables.create(&key, expires_at, &record)?;
            let replaced = match &replaced {
                Some((key, why)) => tables.remove(key, Some(why))?,
                None => None,
            };
            Ok(Created {
                replaced: replaced.and_then(|removed| removed.user),
                evicted: tables.remove_over_limit(record.user(), &key, limit, &over_limit)?,
            })
        });
        create.await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let key = key_of(id);
        let now = self.clock.now();
        let Some(ActiveSession { session, .. }) = self.read(&key, now)? else {
            return Ok(None);
        };
        // It was created before the machine's clock was set back: its absolute limit would count only from then on.
        if session.created_at.is_some_and(|created| created > now) {
            let cap_created = move |tables: &mut Tables<'_>| tables.cap_created(&key);
            if let Err(error) = self.writer.commit(Effect::Shrinks, cap_created).await {
                tracing::warn!(%error, "a session that begins in the future could not be dated");
            }
        }
        let active = ActiveSession::new(session, self.lifetimes.idle, &self.lifetimes, now);
        if let Some(active) = &active {
            self.pending.insert(key, unix_millis(active.expires_at));
        }
        Ok(active)
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.read(&key_of(id), self.clock.now())
    }

    /// `reader` is not needed: a list is written with its sessions, so it loses none.
    async fn list(
        &self,
        user: &str,
        _reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        let keys = self.database.read(|snapshot| {
            let users = snapshot.transaction.open_table(USERS).map_err(failed)?;
            keys_of(&users, user)
        })?;
        Ok(Listing {
            sessions: self.read_all(keys)?,
            complete: true,
        })
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let (key, why) = (key_of(id), why.clone());
        let delete = self.writer.commit(Effect::Shrinks, move |tables| {
            let removed = tables.remove(&key, Some(&why))?;
            Ok(removed.and_then(|removed| removed.user))
        });
        delete.await
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let (user, why) = (user.to_owned(), why.clone());
        let delete = self.writer.commit(Effect::ShrinksMuch, move |tables| {
            tables.remove_of_user(&user, selection, &why)
        });
        delete.await.map(EndOutcome::all)
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut outcome = Ok(());
        let mut keys = self.keys_after(None, PAGE_SIZE)?;
        while let Some(last) = keys.last() {
            for key in &keys {
                match self.read(key, now) {
                    Ok(Some(active)) => found(SessionHandle::from_bytes(*key), active),
                    Ok(None) => {}
                    // One bad record must not hide the other sessions.
                    Err(error @ StoreError::Unreadable(_)) => outcome = Err(error),
                    Err(error) => return Err(error),
                }
            }
            keys = self.keys_after(Some(last), PAGE_SIZE)?;
            yield_now().await;
        }
        outcome
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let (first, last) = prefix.handles().into_inner();
        let (first, last) = (first.to_bytes(), last.to_bytes());
        self.read_all(self.keys_in(&first..=&last, PAGE_SIZE)?)
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        let mut all = Vec::new();
        let mut last = None;
        loop {
            let limit = if self.is_full() {
                MAX_ROWS_WHEN_FULL
            } else {
                PAGE_SIZE
            };
            let keys = self.keys_after(last.as_ref(), limit)?;
            last = keys.last().copied();
            if last.is_none() {
                return Ok(EndOutcome::all(all));
            }
            let why = why.clone();
            let delete = self.writer.commit(Effect::ShrinksMuch, move |tables| {
                tables.remove_all(&keys, &why)
            });
            all.extend(delete.await?);
        }
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let found = self.find(handle.into()).await?.pop();
        let Some((_, ActiveSession { session, .. })) = found else {
            return Ok(None);
        };
        let user = session.user;
        let why = why.with_user(&user);
        let selection = Selection::One(handle);
        let EndOutcome { ended, .. } = self.delete_of_user(&user, selection, &why).await?;
        Ok((!ended.is_empty()).then_some(user))
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        let now = unix_millis(self.clock.now());
        self.database.read(|snapshot| {
            let ended = snapshot.transaction.open_table(ENDED).map_err(failed)?;
            let Some(row) = ended.get(&key_of(id)).map_err(failed)? else {
                return Ok(None);
            };
            let (until, text) = row.value();
            if now >= until {
                return Ok(None);
            }
            serde_json::from_slice(text)
                .map(Some)
                .map_err(|error| StoreError::Unreadable(error.into()))
        })
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let key = key_of(id);
        let (field, value) = (field.to_owned(), value.map(str::to_owned));
        let effect = if value.is_some() {
            Effect::Grows
        } else {
            Effect::Shrinks
        };
        let write = self.writer.commit(effect, move |tables| {
            tables.write_field(&key, &field, value.as_deref(), limit)
        });
        write.await
    }

    async fn write_others(
        &self,
        user: &str,
        except: &SessionId,
        field: &str,
        value: &str,
    ) -> Result<usize, StoreError> {
        let (user, except) = (user.to_owned(), key_of(except));
        let (field, value) = (field.to_owned(), value.to_owned());
        let write = self.writer.commit(Effect::Grows, move |tables| {
            tables.write_others(&user, &except, &field, &value)
        });
        write.await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.writer.check()?;
        self.database
            .read(|snapshot| snapshot.sessions.first().map(drop).map_err(failed))
    }

    fn is_full(&self) -> bool {
        self.writer.is_full()
    }

    fn is_lost(&self) -> bool {
        self.writer.has_ended()
    }

    /// Cheap, because redb stores the length of a table in its root.
    async fn stats(&self) -> StoreStats {
        let active = self
            .database
            .read(|snapshot| snapshot.sessions.len().map_err(failed));
        StoreStats {
            active: active.ok(),
            full: Some(self.is_full()),
            ..StoreStats::default()
        }
    }

    async fn close(&self) {
        let begun = Instant::now();
        let flush = self.writer.commit(Effect::Flushes, |_| Ok(()));
        let flushed = match self.timeout {
            Some(limit) => timeout(limit, flush)
                .await
                .unwrap_or(Err(StoreError::Timeout(limit))),
            None => flush.await,
        };
        if let Err(error) = flushed {
            self.writer.set_closing_since(begun);
            tracing::error!(%error, "the last second of activity could not be written");
        }
    }
}
