//! The default store: one file in a folder, nothing to install.

#[cfg(feature = "password")]
mod account_store;
mod changes;
mod database;
mod inspect;
mod session_store;
mod sign_in_store;
mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use database::error::OpenError;
pub(crate) use database::folder::exposed;
#[cfg(feature = "program")]
pub(crate) use inspect::{FileState, inspect};

use self::changes::pending_expiry::PendingExpiries;
use self::changes::version_1;
use self::database::Database;
use self::database::upgrade::CopyRows;
use self::writer::Writer;
use crate::clock::Clock;
use crate::config::StorePath;
use crate::session::Lifetimes;
use crate::store::attempts::AttemptCounters;

/// Keeps sessions in a file, or in memory; for one process.
///
/// An acknowledged change is on disk: a sign-in or sign-out returns after its commit has been synced, and those that
/// wait at the same time share one commit. Sliding waits for no disk: new expiries are kept in memory and written once
/// a second, so a crash makes a session end at most a second early, and never late.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Dropped before `database`, which its last commit needs open.
    writer: Writer,
    database: Arc<Database>,
    pending: Arc<PendingExpiries>,
    attempts: AttemptCounters,
    lifetimes: Lifetimes,
    clock: Clock,
    /// How long `close` waits for the disk; `None` in memory, where there is none.
    timeout: Option<Duration>,
}

/// How much longer than `close` the drop of the store waits for the disk: a file that was not closed is checked whole
/// at the next start.
const CLOSE_GRACE: Duration = Duration::from_secs(3);

/// The limits of an [`EmbeddedStore`], and whether it takes an older file over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddedLimits {
    /// How much of the file is kept in memory. Default: 32 MiB.
    pub cache_bytes: usize,
    /// How long [`close`](crate::SessionStore::close) waits for the last second of activity to be written; dropping the
    /// store waits three seconds more. Default: one second.
    pub timeout: Duration,
    /// Whether a file that an older version of Innkeeper has written is copied into one of the present format. Otherwise it
    /// is not opened, and left as it is. Default: true.
    pub takes_over: bool,
}

impl Default for EmbeddedLimits {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            timeout: Duration::from_secs(1),
            takes_over: true,
        }
    }
}

impl EmbeddedStore {
    /// Opens the store, and creates it if it is not there.
    ///
    /// # Errors
    ///
    /// The folder or its file cannot be read and written, or another process has it open.
    pub fn open(path: &StorePath, lifetimes: Lifetimes, clock: Clock) -> Result<Self, OpenError> {
        Self::open_within(path, EmbeddedLimits::default(), lifetimes, clock)
    }

    /// [`open`](Self::open) with limits of its own.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn open_within(
        path: &StorePath,
        limits: EmbeddedLimits,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let timeout = (*path != StorePath::Memory).then_some(limits.timeout);
        let copy: CopyRows = version_1::copy;
        let copy = limits.takes_over.then_some(copy);
        let database = Arc::new(Database::open(path, limits.cache_bytes, copy)?);
        let pending = Arc::new(PendingExpiries::default());
        let writer = Writer::start(
            Arc::clone(&database),
            Arc::clone(&pending),
            clock.clone(),
            lifetimes.idle,
            timeout.map(|timeout| timeout + CLOSE_GRACE),
        )
        .map_err(|error| OpenError::new(path, error))?;
        Ok(Self {
            writer,
            database,
            pending,
            attempts: AttemptCounters::default(),
            lifetimes,
            clock,
            timeout,
        })
    }

    /// Ends the writer's thread, as a bug would.
    #[cfg(test)]
    pub(crate) async fn lose(&self) {
        while !self.writer.has_ended() {
            self.writer.panic().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::changes::record::Record;
    use super::writer::Effect;
    use super::*;
    use crate::client::Client;
    use crate::session::{
        EndReason, EndedSession, NewSession, Session, SessionHandle, SessionId, SessionStore,
        StoreError,
    };

    fn open(path: &StorePath) -> EmbeddedStore {
        open_within(path, EmbeddedLimits::default())
    }

    fn open_within(path: &StorePath, limits: EmbeddedLimits) -> EmbeddedStore {
        let lifetimes = Lifetimes {
            idle: Duration::from_secs(900),
            absolute: None,
        };
        EmbeddedStore::open_within(path, limits, lifetimes, Clock::start()).unwrap()
    }

    #[tokio::test]
    async fn a_change_that_panics_fails_alone() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            StorePath::Memory,
            StorePath::Folder(folder.path().to_owned()),
        ] {
            let store = open(&path);
            for _ in 0..20 {
                store.writer.panic().await;
                // Waits for the thread, whatever its condition.
                let flush = store.writer.send(Effect::Flushes, |_| Ok(()));
                flush.unwrap().await.unwrap().unwrap();
                store.check().await.unwrap();
            }
            assert!(!store.is_lost());
        }
    }

    async fn flush(store: &EmbeddedStore) -> Result<(), StoreError> {
        store.writer.commit(Effect::Flushes, |_| Ok(())).await
    }

    /// Lets the writer's thread wait for the answer, as a commit waits for a volume that hangs.
    fn hang(store: &EmbeddedStore) -> std::sync::mpsc::SyncSender<()> {
        let (go_on, waiting) = std::sync::mpsc::sync_channel(0);
        let hang = store.writer.send(Effect::Shrinks, move |_| {
            let _ = waiting.recv().and_then(|()| waiting.recv());
            Ok(())
        });
        drop(hang.unwrap());
        go_on.send(()).unwrap();
        go_on
    }

    fn over_limit() -> EndedSession {
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
            own: BTreeMap::new(),
            created_at: None,
            client: Client::default(),
        };
        let over_limit = over_limit();
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
    async fn a_sign_in_given_up_while_the_volume_hangs_is_not_made_when_it_comes_back() {
        let store = open(&StorePath::Memory);
        let alive = sign_in(&store).await.unwrap();
        let gone = sign_in(&store).await.unwrap();
        assert!(store.peek(&alive).await.unwrap().is_none());

        let go_on = hang(&store);
        let begun = Instant::now();
        let short = Duration::from_millis(100);
        assert!(timeout(short, sign_in(&store)).await.is_err());
        assert!(
            timeout(short, store.delete(&gone, &over_limit()))
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
        flush(&store).await.unwrap();
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
        // `reopen` waits for every reader.
        let reading = store.database.snapshot().unwrap();
        store.writer.panic().await;
        let begun = Instant::now();
        while store.check().await.is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            yield_now().await;
        }
        let refused = timeout(Duration::from_secs(2), flush(&store)).await;
        assert!(
            matches!(refused, Ok(Err(StoreError::Failed(_)))),
            "{refused:?}"
        );
        drop(reading);
        while store.check().await.is_err() {
            yield_now().await;
        }
        flush(&store).await.unwrap();
    }

    #[tokio::test]
    async fn the_end_waits_for_a_volume_that_hangs_no_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = StorePath::Folder(folder.path().to_owned());
        let limit = Duration::from_secs(2);
        let limits = EmbeddedLimits {
            timeout: limit,
            ..EmbeddedLimits::default()
        };
        let store = open_within(&path, limits);
        let go_on = hang(&store);
        let begun = Instant::now();
        store.close().await;
        drop(store);
        let taken = begun.elapsed();
        assert!(taken < limit + CLOSE_GRACE + limit / 2, "{taken:?}");
        go_on.send(()).unwrap();
    }

    #[tokio::test]
    async fn two_sessions_never_share_an_end() {
        let store = open(&StorePath::Memory);
        let id = sign_in(&store).await.unwrap();
        let key = SessionHandle::from(&id).to_bytes();
        let mut other = key;
        other[15] ^= 1;
        let begin = store.writer.commit(Effect::Grows, move |tables| {
            let session = Session::new("zoe", Client::default(), tables.now);
            tables.create(&other, u64::MAX, &Record::new(&session, tables.now))
        });
        let refused = begin.await;
        assert!(
            matches!(refused, Err(StoreError::Unreadable(_))),
            "{refused:?}"
        );
        assert_eq!(store.stats().await.active, Some(1));
        let end = store.writer.commit(Effect::Shrinks, move |tables| {
            Ok(tables.remove(&other, None)?.is_some())
        });
        assert!(!end.await.unwrap());
        assert!(store.touch(&id).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_writer_that_has_ended_is_reported() {
        let store = open(&StorePath::Memory);
        store.lose().await;
        assert!(store.check().await.is_err());
        let sent = store.writer.send(Effect::Flushes, |_| Ok(()));
        assert!(sent.is_err());
    }
}
