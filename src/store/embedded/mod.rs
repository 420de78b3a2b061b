//! The default store: one file in a folder, nothing to install.

mod backoff;
mod changes;
mod condition;
mod database;
mod inspect;
mod writer;

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use redb::{ReadableTable, ReadableTableMetadata};
use tokio::task::yield_now;
use tokio::time::timeout;

pub use database::OpenError;
pub(crate) use database::folder::Exposed;
pub(crate) use inspect::{Place, exposed, survey};

use self::changes::pending_expiry::Overlay;
use self::changes::record::Record;
use self::changes::{Applied, Change, Creation, ENDED, USERS};
use self::condition::Condition;
use self::database::Storage;
use self::writer::{FEW_ROWS, Writer};
use crate::clock::{Clock, unix_time};
use crate::config::StorePath;
use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Lifetimes, Listing, NewSession,
    Selection, Session, SessionHandle, SessionId, SessionStore, StoreError, StoreStats,
    WriteOutcome,
};

/// How many sessions are looked at in one step, when all are.
const PART: usize = 1000;

/// The SHA-256 of a session's id: whoever copies the file cannot sign in with what it holds.
type Key = [u8; 32];

/// Keeps sessions in a file, or in memory; for one process.
///
/// What was acknowledged is on disk: a sign-in or sign-out returns after its commit has been synced, and
/// those that wait at the same time share one commit. Sliding costs no disk: the new ends are kept in memory
/// and written once a second, so a crash makes a session end at most a second early, and never late.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Before `storage`: the writer's last commit needs it open.
    writer: Writer,
    storage: Arc<Storage>,
    overlay: Arc<Overlay>,
    condition: Arc<Condition>,
    lifetimes: Lifetimes,
    clock: Clock,
    /// `None` in memory, which has no disk to wait for.
    timeout: Option<Duration>,
}

/// How much longer than a request the end waits for the disk: a file that was not closed in order is checked whole at
/// the next start.
const CLOSING: Duration = Duration::from_secs(3);

/// What an [`EmbeddedStore`] may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedLimits {
    /// How much of the file is kept in memory. Default: 32 MiB.
    pub cache_bytes: usize,
    /// How long the last second of activity may take to be written at the end; with the closing of the file three
    /// seconds more. Default: one second.
    pub timeout: Duration,
}

impl Default for EmbeddedLimits {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            timeout: Duration::from_secs(1),
        }
    }
}

impl EmbeddedStore {
    /// Opens the store, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// The folder or its file cannot be read and written, or another process has it open.
    pub fn open(
        location: &StorePath,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::open_within(location, EmbeddedLimits::default(), lifetimes, clock)
    }

    /// [`open`](Self::open) with limits of its own.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn open_within(
        location: &StorePath,
        limits: EmbeddedLimits,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let timeout = (*location != StorePath::Memory).then_some(limits.timeout);
        let storage = Arc::new(Storage::at(location, limits.cache_bytes)?);
        let overlay = Arc::new(Overlay::default());
        let condition = Arc::new(Condition::default());
        let writer = Writer::start(
            Arc::clone(&storage),
            Arc::clone(&overlay),
            Arc::clone(&condition),
            clock.clone(),
            lifetimes.idle,
            timeout.map(|timeout| timeout + CLOSING),
        )
        .map_err(|error| OpenError::new(location, error))?;
        Ok(Self {
            writer,
            storage,
            overlay,
            condition,
            lifetimes,
            clock,
            timeout,
        })
    }

    /// Fails at once where nothing can be written: while the file is opened again, or while its volume hangs, the
    /// writing thread does nothing else, and what waits for it would only become more.
    async fn commit(&self, change: Change) -> Result<Applied, StoreError> {
        self.condition.check()?;
        self.writer.commit(change).await
    }

    #[cfg(test)]
    async fn panic(&self) -> Result<Applied, StoreError> {
        self.writer.commit(Change::Panic).await
    }

    /// Ends the writing thread, as a fault of ours would.
    #[cfg(test)]
    pub(crate) async fn lose(&self) {
        while !self.is_lost() {
            drop(self.panic().await);
        }
    }

    /// Reads a session that is alive at `now`, and its end in milliseconds since 1970.
    fn read(&self, key: &Key, now: SystemTime) -> Result<Option<ActiveSession>, StoreError> {
        // Before the table: what is not there any more has been written, and the table shows it.
        let slid = self.overlay.slid(key);
        self.storage.look(|open| {
            let Some(row) = open.sessions.get(key).map_err(failed)? else {
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
        self.storage.look(|open| {
            let rows = open.sessions.range(range).map_err(failed)?.take(limit);
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
            self.overlay.slide(key, unix_millis(active.expires_at));
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
        let keys = self.storage.look(|open| {
            changes::keys_of(&open.snapshot.open_table(USERS).map_err(failed)?, user)
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
        self.storage.look(|open| {
            let endings = open.snapshot.open_table(ENDED).map_err(failed)?;
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
        self.storage
            .look(|open| open.sessions.first().map(drop).map_err(failed))
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
            .storage
            .look(|open| open.sessions.len().map_err(failed));
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

fn unix_millis(timestamp: SystemTime) -> u64 {
    u64::try_from(unix_time(timestamp).as_millis()).unwrap_or(u64::MAX)
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Failed(error.into().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::client::Client;
    use crate::session::EndReason;

    fn open(location: &StorePath) -> EmbeddedStore {
        open_within(location, EmbeddedLimits::default())
    }

    fn open_within(location: &StorePath, limits: EmbeddedLimits) -> EmbeddedStore {
        let lifetimes = Lifetimes {
            idle: Duration::from_secs(900),
            absolute: None,
        };
        EmbeddedStore::open_within(location, limits, lifetimes, Clock::start()).unwrap()
    }

    #[tokio::test]
    async fn a_change_that_panics_fails_alone() {
        let folder = tempfile::tempdir().unwrap();
        for location in [
            StorePath::Memory,
            StorePath::Folder(folder.path().to_owned()),
        ] {
            let store = open(&location);
            for _ in 0..20 {
                assert!(store.panic().await.is_err());
                store.writer.commit(Change::Flush).await.unwrap();
                store.check().await.unwrap();
            }
            assert!(!store.is_lost());
        }
    }

    /// Lets the writing thread wait for the answer, as a commit waits for a volume that hangs.
    fn hang(store: &EmbeddedStore) -> std::sync::mpsc::SyncSender<()> {
        let (go_on, waiting) = std::sync::mpsc::sync_channel(0);
        drop(store.writer.send(Change::Hang(waiting.into())).unwrap());
        go_on.send(()).unwrap();
        go_on
    }

    fn ending() -> EndedSession {
        EndedSession {
            reason: EndReason::OverLimit,
            at: 0,
            user_agent: None,
            user: None,
        }
    }

    async fn sign_in(store: &EmbeddedStore) -> Result<SessionId, StoreError> {
        let id = SessionId::generate();
        let session = Session {
            user: "amy".to_owned(),
            status: "active".to_owned(),
            data: BTreeMap::new(),
            created_at: None,
            client: Client::default(),
        };
        let over_limit = ending();
        let new = NewSession {
            id: &id,
            session: &session,
            replaced: None,
            limit: 1,
            over_limit: &over_limit,
        };
        store.create(&new).await.map(|_| id)
    }

    #[tokio::test]
    async fn who_gave_up_waiting_for_a_volume_that_hangs_is_not_signed_in_when_it_comes_back() {
        let store = open(&StorePath::Memory);
        let alive = sign_in(&store).await.unwrap();
        let gone = sign_in(&store).await.unwrap();
        assert!(store.peek(&alive).await.unwrap().is_none());

        let go_on = hang(&store);
        let begun = Instant::now();
        let short = Duration::from_millis(100);
        assert!(timeout(short, sign_in(&store)).await.is_err());
        assert!(
            timeout(short, store.delete(&gone, &ending()))
                .await
                .is_err()
        );
        let refused = loop {
            match timeout(short, sign_in(&store)).await {
                Ok(outcome) => break outcome,
                Err(_) => assert!(begun.elapsed() < Duration::from_secs(10)),
            }
        };
        assert!(
            matches!(refused, Err(StoreError::Timeout(_))),
            "{refused:?}"
        );
        assert!(store.check().await.is_err());

        go_on.send(()).unwrap();
        while store.check().await.is_err() {
            yield_now().await;
        }
        store.commit(Change::Flush).await.unwrap();
        assert_eq!(
            store.stats().await.active,
            Some(0),
            "only the sign-out was made"
        );
    }

    #[tokio::test]
    async fn after_a_panic_changes_are_refused_until_the_file_is_open_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&StorePath::Folder(folder.path().to_owned()));
        // Who still reads is waited for.
        let reading = store.storage.open().unwrap();
        assert!(store.panic().await.is_err());
        let begun = Instant::now();
        while store.condition.check_failure().is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            yield_now().await;
        }
        let refused = timeout(Duration::from_secs(2), store.commit(Change::Flush)).await;
        assert!(
            matches!(refused, Ok(Err(StoreError::Failed(_)))),
            "{refused:?}"
        );
        drop(reading);
        while store.check().await.is_err() {
            yield_now().await;
        }
        store.commit(Change::Flush).await.unwrap();
    }

    #[tokio::test]
    async fn the_end_waits_for_a_volume_that_hangs_no_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let location = StorePath::Folder(folder.path().to_owned());
        let limit = Duration::from_secs(2);
        let limits = EmbeddedLimits {
            timeout: limit,
            ..EmbeddedLimits::default()
        };
        let store = open_within(&location, limits);
        let go_on = hang(&store);
        let begun = Instant::now();
        store.close().await;
        drop(store);
        let taken = begun.elapsed();
        assert!(taken < limit + CLOSING + limit / 2, "{taken:?}");
        go_on.send(()).unwrap();
    }

    #[tokio::test]
    async fn a_writer_that_has_ended_is_told() {
        let store = open(&StorePath::Memory);
        store.lose().await;
        assert!(store.check().await.is_err());
        assert!(store.writer.commit(Change::Flush).await.is_err());
    }
}
