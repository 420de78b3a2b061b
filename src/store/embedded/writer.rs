//! The one thread that writes: it groups what waits into one commit, and sweeps.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table};
use tokio::sync::oneshot;

use super::overlay::Overlay;
use super::{Key, SESSIONS, failed, millis};
use crate::session::{Clock, StoreError};

/// How long a slid end may stay in memory only.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The most changes, and the most swept rows, in one commit: nobody waits long behind them.
const MOST_AT_ONCE: usize = 10_000;

/// How long a session must have been over before it is swept: a request that found it alive in its last
/// moment has slid it by then.
const GRACE: Duration = Duration::from_secs(2);

/// A handle to the writing thread; dropping it lets the thread write what is left, and waits for it.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What can be written.
#[derive(Debug)]
pub(super) enum Change {
    Create {
        key: Key,
        end: u64,
        record: Vec<u8>,
        replaced: Option<Key>,
    },
    Delete(Key),
    /// The overlay, at once.
    Flush,
}

struct Job {
    change: Change,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(
        database: Arc<Database>,
        overlay: Arc<Overlay>,
        clock: Clock,
        sweep_every: Duration,
    ) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let rounds = Rounds {
            database,
            overlay,
            clock,
            sweep_every,
            flushed: Instant::now(),
            swept: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("session-writer".to_owned())
            .spawn(move || rounds.run(&inbox))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Returns when the change is on disk.
    pub(super) async fn commit(&self, change: Change) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        let stopped = || StoreError::Failed("its writer has stopped".to_owned());
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.send(Job { change, done }).ok())
            .ok_or_else(stopped)?;
        outcome.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the session writer panicked");
        }
    }
}

struct Rounds {
    database: Arc<Database>,
    overlay: Arc<Overlay>,
    clock: Clock,
    sweep_every: Duration,
    flushed: Instant,
    swept: Instant,
}

impl Rounds {
    fn run(mut self, inbox: &Receiver<Job>) {
        loop {
            let wait = FLUSH_EVERY.saturating_sub(self.flushed.elapsed());
            let first = match inbox.recv_timeout(wait) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let rest = inbox.try_iter().take(MOST_AT_ONCE);
            self.round(first.into_iter().chain(rest).collect());
        }
        self.round(vec![Job {
            change: Change::Flush,
            done: oneshot::channel().0,
        }]);
    }

    fn round(&mut self, jobs: Vec<Job>) {
        let flush = self.flushed.elapsed() >= FLUSH_EVERY
            || jobs.iter().any(|job| matches!(job.change, Change::Flush));
        let slides = if flush {
            self.flushed = Instant::now();
            self.overlay.snapshot()
        } else {
            Vec::new()
        };
        let outcome = self.dead().and_then(|dead| {
            if jobs.is_empty() && slides.is_empty() && dead.is_empty() {
                return Ok(());
            }
            self.commit(&jobs, &slides, &dead)
        });
        match &outcome {
            Ok(()) => self.overlay.forget(&slides),
            Err(error) => tracing::error!(%error, "sessions could not be written"),
        }
        for job in jobs {
            let told = outcome
                .as_ref()
                .map_err(|error| StoreError::Failed(error.to_string()));
            // Nobody listens any more where the request was given up.
            drop(job.done.send(told.copied()));
        }
    }

    /// The sessions whose time has come, where it is time to look.
    ///
    /// Found by a reader and not in the writing transaction: looking at many rows must not hold up a sign-in.
    fn dead(&mut self) -> Result<Vec<Key>, StoreError> {
        if self.swept.elapsed() < self.sweep_every {
            return Ok(Vec::new());
        }
        let now = millis(self.clock.now() - GRACE);
        let table = self
            .database
            .begin_read()
            .map_err(failed)?
            .open_table(SESSIONS)
            .map_err(failed)?;
        let mut dead = Vec::new();
        for row in table.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            if now >= self.overlay.end_of(key.value(), value.value().0) {
                dead.push(*key.value());
                if dead.len() == MOST_AT_ONCE {
                    return Ok(dead);
                }
            }
        }
        self.swept = Instant::now();
        Ok(dead)
    }

    fn commit(&self, jobs: &[Job], slides: &[(Key, u64)], dead: &[Key]) -> Result<(), StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        {
            let mut table = transaction.open_table(SESSIONS).map_err(failed)?;
            for (key, end) in slides {
                slide(&mut table, key, *end)?;
            }
            for key in dead {
                table.remove(key).map_err(failed)?;
            }
            for job in jobs {
                apply(&mut table, &job.change)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}

/// Moves a session's end; a row that is gone stays gone.
fn slide(table: &mut Table<'_, &Key, (u64, &[u8])>, key: &Key, end: u64) -> Result<(), StoreError> {
    let Some(record) = table
        .get(key)
        .map_err(failed)?
        .map(|row| row.value().1.to_vec())
    else {
        return Ok(());
    };
    table
        .insert(key, (end, record.as_slice()))
        .map_err(failed)?;
    Ok(())
}

fn apply(table: &mut Table<'_, &Key, (u64, &[u8])>, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Create {
            key,
            end,
            record,
            replaced,
        } => {
            if let Some(replaced) = replaced {
                table.remove(replaced).map_err(failed)?;
            }
            table
                .insert(key, (*end, record.as_slice()))
                .map_err(failed)?;
        }
        Change::Delete(key) => {
            table.remove(key).map_err(failed)?;
        }
        Change::Flush => {}
    }
    Ok(())
}
