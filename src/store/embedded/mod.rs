//! The default store: one file in a folder, nothing to install.

mod file;
mod overlay;
mod record;
mod writer;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use redb::{Database, ReadableDatabase, TableDefinition};

pub use file::OpenError;

use self::overlay::Overlay;
use self::record::Record;
use self::writer::{Change, Writer};
use crate::config::Location;
use crate::session::{Clock, Lifetimes, Session, SessionId, SessionStore, StoreError};

/// The SHA-256 of a session's id: whoever copies the file cannot sign in with what it holds.
type Key = [u8; 32];

/// Digest of the id -> (end in milliseconds since 1970, the session as JSON).
const SESSIONS: TableDefinition<'_, &Key, (u64, &[u8])> = TableDefinition::new("sessions");

/// Keeps sessions in a file, or in memory; for one process.
///
/// What was acknowledged is on disk: a sign-in or sign-out returns after its commit has been synced, and
/// those that wait at the same time share one commit. Sliding costs no disk: the new ends are kept in memory
/// and written once a second, so a crash makes a session end at most a second early, and never late.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Before `database`: the writer's last commit needs it open.
    writer: Writer,
    database: Arc<Database>,
    overlay: Arc<Overlay>,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl EmbeddedStore {
    /// Opens the store, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// The folder or its file cannot be read and written, or another process has it open.
    pub fn open(
        location: &Location,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let database = Arc::new(file::open(location)?);
        let overlay = Arc::new(Overlay::default());
        let sweep_every = lifetimes.idle.min(Duration::from_secs(60));
        let writer = Writer::start(
            Arc::clone(&database),
            Arc::clone(&overlay),
            clock,
            sweep_every,
        )
        .map_err(|error| OpenError::new(location, error))?;
        Ok(Self {
            writer,
            database,
            overlay,
            lifetimes,
            clock,
        })
    }

    fn live_record(&self, key: &Key, now: u64) -> Result<Option<Record>, StoreError> {
        let table = self
            .database
            .begin_read()
            .map_err(failed)?
            .open_table(SESSIONS)
            .map_err(failed)?;
        let Some(row) = table.get(key).map_err(failed)? else {
            return Ok(None);
        };
        let (written_end, bytes) = row.value();
        if now >= self.overlay.end_of(key, written_end) {
            return Ok(None);
        }
        Record::from_bytes(bytes).map(Some)
    }
}

#[async_trait]
impl SessionStore for EmbeddedStore {
    async fn create(
        &self,
        id: &SessionId,
        session: &Session,
        replaced: Option<&SessionId>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let left = self
            .lifetimes
            .left(session.created_at, now)
            .unwrap_or_default();
        self.writer
            .commit(Change::Create {
                key: id.digest(),
                end: millis(now + left),
                record: Record::from(session).to_bytes()?,
                replaced: replaced.map(SessionId::digest),
            })
            .await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let key = id.digest();
        let now = self.clock.now();
        let Some(record) = self.live_record(&key, millis(now))? else {
            return Ok(None);
        };
        let session = Session::from(record);
        let Some(left) = self.lifetimes.left(session.created_at, now) else {
            return Ok(None);
        };
        self.overlay.slide(key, millis(now + left));
        Ok(Some(session))
    }

    async fn delete(&self, id: &SessionId) -> Result<(), StoreError> {
        self.writer.commit(Change::Delete(id.digest())).await
    }

    async fn close(&self) {
        if let Err(error) = self.writer.commit(Change::Flush).await {
            tracing::error!(%error, "the last second of activity could not be written");
        }
    }
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Failed(error.into().to_string())
}
