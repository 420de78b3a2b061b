//! How the embedded store keeps what [`SessionStore`] promises.

use std::ops::{Bound, RangeBounds};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use redb::{ReadableTable, ReadableTableMetadata};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Listing, NewSession, Selection,
    Session, SessionHandle, SessionId, SessionStore, StoreError, StoreStats, WriteOutcome,
};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::changes::record::Record;
use crate::store::embedded::changes::{Applied, Change, Creation};
use crate::store::embedded::database::schema::{ENDED, Key, USERS, failed, keys_of, unix_millis};
use crate::store::embedded::writer::FEW_ROWS;

/// How many sessions are looked at in one step, when all are.
const PART: usize = 1000;

impl EmbeddedStore {
    /// Reads a session that is alive at `now`, and its end in milliseconds since 1970.
    fn read(&self, key: &Key, now: SystemTime) -> Result<Option<ActiveSession>, StoreError> {
        // Before the table: what is not there any more has been written, and the table shows it.
        let slid = self.pending.get(key);
        self.database.read(|snapshot| {
            let Some(row) = snapshot.sessions.get(key).map_err(failed)? else {
                return Ok(None);
            };
            let (written_end, bytes) = row.value();
            let end = slid.map_or(written_end, |slid| slid.max(written_end));
            let left = Duration::from_millis(end.saturating_sub(unix_millis(now)));
            let session = Session::from(Record::from_bytes(bytes)?);
            Ok(ActiveSession::new(session, left, &self.lifetimes, now))
        })
    }

    /// The next keys behind this one, in their order; dead ones too.
    fn keys_after(&self, last: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.keys_in((after, Bound::Unbounded), limit)
    }

    /// How many keys may be ended at once.
    fn part(&self) -> usize {
        if self.is_full() { FEW_ROWS } else { PART }
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
        let left = self
            .lifetimes
            .expires_in(new.session.created_at, now)
            .unwrap_or_default();
        let change = Change::Create(Box::new(Creation {
            key: new.id.digest(),
            end: unix_millis(now + left),
            record: Record::of(new.session, now),
            replaced: new.replaced.map(|(id, why)| (id.digest(), why.clone())),
            limit: new.limit,
            over_limit: new.over_limit.clone(),
        }));
        match self.commit(change).await? {
            Applied::Created(created) => Ok(created),
            Applied::Done | Applied::Deleted(_) | Applied::Ended(_) | Applied::Written(_) => {
                Ok(Created::default())
            }
        }
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let key = id.digest();
        let now = self.clock.now();
        let Some(ActiveSession { session, .. }) = self.read(&key, now)? else {
            return Ok(None);
        };
        // Written before the machine's clock was set back: else it would have its absolute limit, and the time until
        // then besides.
        if session
            .created_at
            .is_some_and(|created_at| created_at > now)
            && let Err(error) = self.commit(Change::Date { key, now }).await
        {
            tracing::warn!(%error, "a session that begins in the future could not be dated");
        }
        let active = ActiveSession::new(session, self.lifetimes.idle, &self.lifetimes, now);
        if let Some(active) = &active {
            self.pending.insert(key, unix_millis(active.expires_at));
        }
        Ok(active)
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.read(&id.digest(), self.clock.now())
    }

    async fn list(
        &self,
        user: &str,
        _reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        // No list of ours is lost: it is written with its sessions.
        let now = self.clock.now();
        let keys = self.database.read(|snapshot| {
            keys_of(
                &snapshot.transaction.open_table(USERS).map_err(failed)?,
                user,
            )
        })?;
        let mut listed = Vec::new();
        for key in keys {
            if let Some(live) = self.read(&key, now)? {
                listed.push((SessionHandle::of_digest(&key), live));
            }
        }
        Ok(Listing {
            sessions: listed,
            complete: true,
        })
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let (key, why) = (id.digest(), why.clone());
        match self.commit(Change::Delete { key, why }).await? {
            Applied::Deleted(user) => Ok(user),
            Applied::Done | Applied::Created(_) | Applied::Ended(_) | Applied::Written(_) => {
                Ok(None)
            }
        }
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let (user, why) = (user.to_owned(), why.clone());
        match self
            .commit(Change::End {
                user,
                selection,
                why,
            })
            .await?
        {
            Applied::Ended(ended) => Ok(EndOutcome::all(ended)),
            Applied::Done | Applied::Created(_) | Applied::Deleted(_) | Applied::Written(_) => {
                Ok(EndOutcome::default())
            }
        }
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut outcome = Ok(());
        let mut keys = self.keys_after(None, PART)?;
        while let Some(last) = keys.last() {
            for key in &keys {
                match self.read(key, now) {
                    Ok(live) => live
                        .into_iter()
                        .for_each(|live| found(SessionHandle::of_digest(key), live)),
                    // It must not hide the others.
                    Err(error @ StoreError::Unreadable(_)) => outcome = Err(error),
                    Err(error) => return Err(error),
                }
            }
            keys = self.keys_after(Some(last), PART)?;
            yield_now().await;
        }
        outcome
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let now = self.clock.now();
        let digests = prefix.digests();
        let mut found = Vec::new();
        for key in self.keys_in(digests.start()..=digests.end(), PART)? {
            if let Some(live) = self.read(&key, now)? {
                found.push((SessionHandle::of_digest(&key), live));
            }
        }
        Ok(found)
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        let mut all = Vec::new();
        let mut keys = self.keys_after(None, self.part())?;
        while let Some(last) = keys.last().copied() {
            let why = why.clone();
            if let Applied::Ended(ended) = self.commit(Change::DeleteThese { keys, why }).await? {
                all.extend(ended);
            }
            keys = self.keys_after(Some(&last), self.part())?;
        }
        Ok(EndOutcome::all(all))
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
        let why = why.of(&user);
        let EndOutcome { ended, .. } = self
            .delete_of_user(&user, Selection::One(handle), &why)
            .await?;
        Ok((!ended.is_empty()).then_some(user))
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        let now = unix_millis(self.clock.now());
        self.database.read(|snapshot| {
            let endings = snapshot.transaction.open_table(ENDED).map_err(failed)?;
            let Some(row) = endings.get(&id.digest()).map_err(failed)? else {
                return Ok(None);
            };
            let (until, text) = row.value();
            if now >= until {
                return Ok(None);
            }
            serde_json::from_slice(text)
                .map(Some)
                .map_err(|error| StoreError::Unreadable(Box::new(error)))
        })
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let change = Change::Write {
            key: id.digest(),
            field: field.to_owned(),
            value: value.map(str::to_owned),
            limit,
        };
        match self.commit(change).await? {
            Applied::Written(written) => Ok(written),
            Applied::Done | Applied::Created(_) | Applied::Deleted(_) | Applied::Ended(_) => {
                Ok(WriteOutcome::Written)
            }
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        if self.is_lost() {
            return Err(StoreError::Failed("its writer has stopped".to_owned()));
        }
        self.condition.check()?;
        self.database
            .read(|snapshot| snapshot.sessions.first().map(drop).map_err(failed))
    }

    fn is_full(&self) -> bool {
        self.condition.is_full()
    }

    fn is_lost(&self) -> bool {
        self.writer.has_ended()
    }

    /// The length of the table, which its root knows.
    async fn stats(&self) -> StoreStats {
        let live = self
            .database
            .read(|snapshot| snapshot.sessions.len().map_err(failed));
        StoreStats {
            active: live.ok(),
            full: Some(self.is_full()),
            ..StoreStats::default()
        }
    }

    async fn close(&self) {
        let begun = Instant::now();
        let flush = self.commit(Change::Flush);
        let flushed = match self.timeout {
            Some(limit) => timeout(limit, flush)
                .await
                .unwrap_or(Err(StoreError::Timeout(limit))),
            None => flush.await,
        };
        if let Err(error) = flushed {
            self.writer.was_waited_for(begun);
            tracing::error!(%error, "the last second of activity could not be written");
        }
    }
}
