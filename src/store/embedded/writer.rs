//! The one thread that writes: it groups what waits into one commit, and sweeps.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use redb::{Durability, ReadableDatabase};
use tokio::sync::oneshot;

use super::file::Storage;
use super::overlay::Overlay;
use super::tables::{Applied, Change, ENDINGS, SESSIONS, Tables};
use super::{Key, failed, millis};
use crate::session::{Clock, StoreError};

/// How long a slid end may stay in memory only.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The most changes, and the most swept rows, in one commit: nobody waits long behind them.
const MOST_AT_ONCE: usize = 10_000;

/// How often the file is searched for what is over; more often where sessions live shorter than that.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long a session must have been over before it is swept: a request that found it alive in its last
/// moment has slid it by then.
const GRACE: Duration = Duration::from_secs(2);

/// A handle to the writing thread; dropping it lets the thread write what is left, and waits for it.
#[derive(Debug)]
pub(super) struct Writer {
    clock: Clock,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    change: Change,
    /// By the asker's clock: on this thread a test's paused clock goes on.
    asked_at: SystemTime,
    done: oneshot::Sender<Result<Applied, StoreError>>,
}

impl Writer {
    pub(super) fn start(
        storage: Arc<Storage>,
        overlay: Arc<Overlay>,
        clock: Clock,
        remembered: Duration,
    ) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let rounds = Rounds {
            storage,
            overlay,
            clock: clock.clone(),
            remembered,
            flushed: Instant::now(),
            swept: Instant::now(),
            sweeping_from: None,
        };
        let thread = thread::Builder::new()
            .name("session-writer".to_owned())
            .spawn(move || rounds.run(&inbox))?;
        Ok(Self {
            clock,
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Returns when the change is on disk.
    pub(super) async fn commit(&self, change: Change) -> Result<Applied, StoreError> {
        let (done, outcome) = oneshot::channel();
        let job = Job {
            change,
            asked_at: self.clock.now(),
            done,
        };
        let stopped = || StoreError::Failed("its writer has stopped".to_owned());
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.send(job).ok())
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
    storage: Arc<Storage>,
    overlay: Arc<Overlay>,
    clock: Clock,
    /// How long the reason of an end is kept: the idle timeout.
    remembered: Duration,
    flushed: Instant,
    swept: Instant,
    /// Where a sweep goes on that has not reached the end.
    sweeping_from: Option<Key>,
}

impl Rounds {
    fn run(mut self, inbox: &Receiver<Job>) {
        loop {
            let wait = if self.sweeping_from.is_some() {
                Duration::from_millis(10)
            } else {
                FLUSH_EVERY.saturating_sub(self.flushed.elapsed())
            };
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
            asked_at: self.clock.now(),
            done: oneshot::channel().0,
        }]);
    }

    fn round(&mut self, jobs: Vec<Job>) {
        // Every second again: readers cannot do it, and there may be nothing to write.
        if let Err(error) = self.storage.database() {
            self.recover(&error);
        }
        let flush = self.flushed.elapsed() >= FLUSH_EVERY
            || jobs.iter().any(|job| matches!(job.change, Change::Flush));
        let slides = if flush {
            self.flushed = Instant::now();
            self.overlay.snapshot()
        } else {
            Vec::new()
        };
        if !jobs.is_empty() || !slides.is_empty() {
            match self.commit(&jobs, &slides, &Dead::default()) {
                Ok(applied) => {
                    self.overlay.forget(&slides);
                    for (job, applied) in jobs.into_iter().zip(applied) {
                        // Nobody listens any more where the request was given up.
                        drop(job.done.send(applied));
                    }
                }
                Err(error) => {
                    self.recover(&error);
                    let told = error.to_string();
                    for job in jobs {
                        drop(job.done.send(Err(StoreError::Failed(told.clone()))));
                    }
                }
            }
        }
        if let Err(error) = self.sweep() {
            self.recover(&error);
        }
    }

    fn recover(&self, error: &StoreError) {
        tracing::error!(%error, "sessions could not be written");
        if let Err(error) = self.storage.reopen() {
            tracing::error!(%error, "the session store could not be opened again");
        }
    }

    /// Deletes what time has overtaken, a part of the table at a time: nobody should wait long behind it. At its end
    /// the file is made smaller, if that is worth it.
    fn sweep(&mut self) -> Result<(), StoreError> {
        let every = self.remembered.min(SWEEP_EVERY);
        if self.sweeping_from.is_none() && self.swept.elapsed() < every {
            return Ok(());
        }
        let dead = self.dead()?;
        if self.sweeping_from.is_none() {
            self.swept = Instant::now();
        }
        if !dead.is_empty() {
            self.commit(&[], &dead.late, &dead)?;
        }
        if self.sweeping_from.is_none() {
            // Without it the file is only larger than it need be.
            if let Err(error) = self.storage.shrink() {
                tracing::warn!(%error, "the session store keeps room that it does not need");
            }
        }
        Ok(())
    }

    /// What is over in the next part of the table, and where the part after it begins.
    fn dead(&mut self) -> Result<Dead, StoreError> {
        let mut dead = Dead::default();
        let now = millis(self.clock.now() - GRACE);
        let longest = self.clock.now() + self.remembered;
        let (latest, too_late) = (millis(longest), millis(longest + GRACE));
        let reading = self.storage.database()?.begin_read().map_err(failed)?;
        let from = self.sweeping_from.take().unwrap_or_default();

        let endings = reading.open_table(ENDINGS).map_err(failed)?;
        let sessions = reading.open_table(SESSIONS).map_err(failed)?;
        for (number, row) in sessions.range::<&Key>(&from..).map_err(failed)?.enumerate() {
            let (key, value) = row.map_err(failed)?;
            if number == MOST_AT_ONCE {
                self.sweeping_from = Some(*key.value());
                break;
            }
            let end = self.overlay.end_of(key.value(), value.value().0);
            if now >= end {
                dead.sessions.push(*key.value());
            // Written before the machine's clock was set back, or with a longer idle timeout.
            } else if end > too_late {
                dead.late.push((*key.value(), latest));
            }
        }
        let until = self.sweeping_from.unwrap_or([u8::MAX; 32]);
        for row in endings.range::<&Key>(&from..=&until).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            if now >= value.value().0 {
                dead.endings.push(*key.value());
            }
        }
        Ok(dead)
    }

    fn commit(
        &self,
        jobs: &[Job],
        slides: &[(Key, u64)],
        dead: &Dead,
    ) -> Result<Vec<Result<Applied, StoreError>>, StoreError> {
        let mut transaction = self.storage.database()?.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        let mut applied = Vec::with_capacity(jobs.len());
        {
            let now = self.clock.now();
            let mut tables = Tables::open(&transaction, &self.overlay, now, self.remembered)?;
            for (key, end) in slides {
                tables.slide(key, *end)?;
            }
            for key in &dead.sessions {
                tables.end(key, None)?;
            }
            for key in &dead.endings {
                tables.forget_ending(key)?;
            }
            for job in jobs {
                match tables.apply(&job.change, job.asked_at) {
                    // That one's own trouble: it has changed nothing, and the others' changes are good.
                    Err(error @ StoreError::Unreadable(_)) => applied.push(Err(error)),
                    outcome => applied.push(Ok(outcome?)),
                }
            }
        }
        transaction.commit().map_err(failed)?;
        self.storage.show()?;
        Ok(applied)
    }
}

/// What is to be swept.
#[derive(Default)]
struct Dead {
    sessions: Vec<Key>,
    endings: Vec<Key>,
    /// Sessions whose end is further away than any can be, and where it is to be.
    late: Vec<(Key, u64)>,
}

impl Dead {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.endings.is_empty() && self.late.is_empty()
    }
}
