//! The one thread that writes: it groups what waits into one commit, and sweeps.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use redb::{Durability, ReadableDatabase};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::session::StoreError;
use crate::store::embedded::backoff::Backoff;
use crate::store::embedded::changes::pending_expiry::PendingExpiries;
use crate::store::embedded::changes::{Applied, Change, Tables};
use crate::store::embedded::condition::Condition;
use crate::store::embedded::database::schema::{ENDED, Key, SESSIONS, failed, unix_millis};
use crate::store::embedded::database::{Database, words};

/// How long a slid end may stay in memory only.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The most changes, and the most swept rows, in one commit: nobody waits long behind them.
const MOST_AT_ONCE: usize = 10_000;
/// The same while the disk is full: a commit must fit into what [`disk::RESERVE`](crate::store::embedded::database::disk::RESERVE) keeps.
const FEW_CHANGES: usize = 16;
pub(crate) const FEW_ROWS: usize = 100;
/// So long sliding is then written at once, in many small commits, before those are looked at who wait meanwhile.
const SLIDING_FOR: Duration = Duration::from_millis(200);

/// How often the file is searched for what is over; more often where sessions live shorter than that.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long a session must have been over before it is swept: a request that found it alive in its last
/// moment has slid it by then.
const GRACE: Duration = Duration::from_secs(2);
/// So many panics without a commit between them are no single change's fault, and the thread gives up.
const MOST_PANICS: u32 = 5;

/// A handle to the writing thread; dropping it lets the thread write what is left, and waits for it.
#[derive(Debug)]
pub(crate) struct Writer {
    clock: Clock,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// How long its end is waited for; `None`: as long as it takes.
    timeout: Option<Duration>,
    /// Since when it has been waited for in vain.
    ending_since: OnceLock<Instant>,
}

struct Job {
    change: Change,
    /// By the asker's clock: on this thread a test's paused clock goes on.
    asked_at: SystemTime,
    done: oneshot::Sender<Result<Applied, StoreError>>,
}

/// What has become of a change.
type Outcome = oneshot::Receiver<Result<Applied, StoreError>>;

impl Job {
    /// Whether nobody would be glad of it any more: whoever gave up signing in has no cookie for the session, which
    /// would only end others of his. Whoever gave up signing out still wants to be out.
    fn is_pointless(&self) -> bool {
        self.done.is_closed() && !self.change.adds_nothing()
    }
}

impl Writer {
    pub(crate) fn start(
        database: Arc<Database>,
        pending: Arc<PendingExpiries>,
        condition: Arc<Condition>,
        clock: Clock,
        ended_ttl: Duration,
        timeout: Option<Duration>,
    ) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let writer_thread = WriterThread {
            database,
            pending,
            condition,
            clock: clock.clone(),
            ended_ttl,
            flushed: Instant::now(),
            swept: Instant::now(),
            sweeping_from: None,
            broken: None,
            backoff: Backoff::default(),
            was_full: false,
            panics: 0,
        };
        let thread = thread::Builder::new()
            .name("session-writer".to_owned())
            .spawn(move || writer_thread.run(&inbox))?;
        Ok(Self {
            clock,
            jobs: Some(jobs),
            thread: Some(thread),
            timeout,
            ending_since: OnceLock::new(),
        })
    }

    /// Returns when the change is on disk.
    pub(crate) async fn commit(&self, change: Change) -> Result<Applied, StoreError> {
        self.send(change)?.await.unwrap_or_else(|_| {
            Err(StoreError::Failed(
                "its writer panicked over what was to be written".to_owned(),
            ))
        })
    }

    /// Hands the change to the thread, which answers when it is on disk.
    pub(crate) fn send(&self, change: Change) -> Result<Outcome, StoreError> {
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
        Ok(outcome)
    }

    /// Somebody has waited since this moment for the thread to write what is left, and has given up. The end waits no
    /// longer for that.
    pub(crate) fn was_waited_for(&self, since: Instant) {
        // The first one has waited longest.
        let _ = self.ending_since.set(since);
    }

    /// Whether the thread has ended, so that nothing will be written any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        let begun = *self.ending_since.get_or_init(Instant::now);
        while !thread.is_finished() {
            if self.timeout.is_some_and(|limit| begun.elapsed() > limit) {
                tracing::error!("the session store does not come to an end, and is left to itself");
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        if thread.join().is_err() {
            tracing::error!("the session writer panicked");
        }
    }
}

struct WriterThread {
    database: Arc<Database>,
    pending: Arc<PendingExpiries>,
    condition: Arc<Condition>,
    clock: Clock,
    /// How long the reason of an end is kept: the idle timeout.
    ended_ttl: Duration,
    flushed: Instant,
    swept: Instant,
    /// Where a sweep goes on that has not reached the end.
    sweeping_from: Option<Key>,
    /// Why the file must be opened again before anything is written.
    broken: Option<String>,
    backoff: Backoff,
    /// Whether the last failure was that of a full disk.
    was_full: bool,
    /// Since the last commit.
    panics: u32,
}

impl WriterThread {
    fn run(mut self, inbox: &Receiver<Job>) {
        self.look_for_room();
        if self.has_no_reserve() {
            tracing::warn!(
                "the file system of the session store keeps no room for a file: when the disk is full, not even \
                 sign-outs can be written"
            );
        }
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
            if !self.run_batch(first.into_iter().chain(rest).collect()) {
                tracing::error!("sessions are not written any more; only a restart can help");
                return;
            }
        }
        self.backoff.succeeded();
        self.run_batch(vec![Job {
            change: Change::Flush,
            asked_at: self.clock.now(),
            done: oneshot::channel().0,
        }]);
        self.database.close();
    }

    /// Does a round. A panic ends the changes of that round, and not the thread, unless it has become a habit.
    fn run_batch(&mut self, jobs: Vec<Job>) -> bool {
        self.condition.begins();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.batch(jobs)));
        if let Err(panic) = outcome {
            tracing::error!(problem = words(&*panic), "writing sessions panicked");
            self.panics += 1;
            self.broken = Some("its writer panicked".to_owned());
            self.condition.set_failure(self.broken.clone());
            // A second one is the next round's.
            drop(catch_unwind(AssertUnwindSafe(|| self.reopen())));
        }
        self.condition.rests();
        self.panics < MOST_PANICS
    }

    fn batch(&mut self, mut jobs: Vec<Job>) {
        jobs.retain(|job| !job.is_pointless());
        // Once it is known, it is known: else those who read would put off the next attempt for ever.
        if self.broken.is_none()
            && let Some(error) = self.database.take_suspicion()
        {
            self.break_off(&error);
        }
        if let Some(why) = self.broken.clone()
            && (self.backoff.is_waiting() || !self.reopen())
        {
            refuse(jobs, &why);
            return;
        }
        let is_due = self.flushed.elapsed() >= FLUSH_EVERY;
        let is_asked_for = jobs.iter().any(|job| matches!(job.change, Change::Flush));
        if is_due {
            self.backoff.forget_if_old();
            self.look_for_room();
        }
        let is_tight = self.is_tight();
        let jobs = if is_tight {
            self.refuse_growth(jobs)
        } else {
            jobs
        };
        let slides = if is_asked_for || is_due && !self.backoff.is_waiting() {
            self.pending.to_vec()
        } else {
            Vec::new()
        };
        if is_asked_for || is_due {
            self.flushed = Instant::now();
        }
        if is_tight {
            // Behind the last second of activity nobody waits.
            let limit = (!is_asked_for).then_some(SLIDING_FOR);
            self.write_bit_by_bit(jobs, &slides, limit);
        } else if !jobs.is_empty() || !slides.is_empty() {
            self.write(jobs, &slides);
        }
        if self.broken.is_none()
            && let Err(error) = self.sweep(is_tight)
        {
            self.break_off(&error);
            self.reopen();
        }
        self.tell_whether_full();
    }

    /// Whether only what adds nothing is written: the disk is full, or something has failed a moment ago.
    fn is_tight(&self) -> bool {
        self.backoff.is_waiting()
            || self
                .database
                .snapshot()
                .is_ok_and(|snapshot| snapshot.is_full())
    }

    fn refuse_growth(&self, jobs: Vec<Job>) -> Vec<Job> {
        let (jobs, refused) = jobs.into_iter().partition(|job| job.change.adds_nothing());
        let is_full = self.was_full || !self.backoff.is_waiting();
        refuse(
            refused,
            if is_full {
                "the disk is full"
            } else {
                "its file could not be written a moment ago"
            },
        );
        jobs
    }

    fn look_for_room(&self) {
        if let Ok(snapshot) = self.database.snapshot() {
            snapshot.keep_room();
        }
    }

    fn has_no_reserve(&self) -> bool {
        self.database
            .snapshot()
            .is_ok_and(|snapshot| snapshot.has_no_reserve())
    }

    fn tell_whether_full(&self) {
        let is_full = self
            .database
            .snapshot()
            .is_ok_and(|snapshot| snapshot.is_full())
            || self.was_full && self.backoff.has_failed();
        if is_full == self.condition.is_full() {
            return;
        }
        self.condition.set_full(is_full);
        if is_full && self.has_no_reserve() {
            tracing::error!(
                "the disk is full: nobody can sign in, and perhaps nobody can sign out"
            );
        } else if is_full {
            tracing::error!(
                "the disk is full: nobody can sign in; those who are signed in stay so, and can sign out"
            );
        } else {
            tracing::info!("the disk has room again");
        }
    }

    fn write_bit_by_bit(&mut self, jobs: Vec<Job>, slides: &[(Key, u64)], limit: Option<Duration>) {
        let (large, small): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| job.change.ends_many());
        for job in large {
            self.write(vec![job], &[]);
        }
        let mut jobs = small.into_iter().peekable();
        while jobs.peek().is_some() {
            self.write(jobs.by_ref().take(FEW_CHANGES).collect(), &[]);
        }
        let begun = Instant::now();
        for some in slides.chunks(FEW_ROWS) {
            if limit.is_some_and(|limit| begun.elapsed() > limit) {
                // The rest is the next second's.
                return;
            }
            self.write(Vec::new(), some);
        }
    }

    fn write(&mut self, jobs: Vec<Job>, slides: &[(Key, u64)]) {
        if let Some(why) = &self.broken {
            refuse(jobs, why);
            return;
        }
        match self.commit(&jobs, slides, &Expired::default()) {
            Ok(applied) => {
                self.pending.remove_written(slides);
                self.has_written(&jobs);
                for (job, applied) in jobs.into_iter().zip(applied) {
                    // Nobody listens any more where the request was given up.
                    drop(job.done.send(applied));
                }
            }
            Err(error) => self.write_what_ends(jobs, slides, &error),
        }
    }

    /// After a commit that failed: ending sessions is tried once more, without what came with it.
    fn write_what_ends(&mut self, jobs: Vec<Job>, slides: &[(Key, u64)], error: &StoreError) {
        self.break_off(error);
        let why = error.reason();
        let (ends, others): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| job.change.adds_nothing());
        let was_all = others.is_empty() && slides.is_empty();
        refuse(others, &why);
        if was_all || !self.reopen() {
            refuse(ends, &why);
        } else if !ends.is_empty() {
            self.write(ends, &[]);
        }
    }

    fn has_written(&mut self, jobs: &[Job]) {
        self.panics = 0;
        if jobs.iter().all(|job| job.change.adds_nothing()) {
            self.backoff.forget_if_old();
        } else {
            self.backoff.succeeded();
        }
    }

    fn break_off(&mut self, error: &StoreError) {
        tracing::error!(%error, "sessions could not be written");
        self.was_full = self
            .database
            .snapshot()
            .is_ok_and(|snapshot| snapshot.is_full());
        self.backoff.failed();
        self.broken = Some(error.reason());
        self.condition.set_failure(self.broken.clone());
    }

    fn reopen(&mut self) -> bool {
        match self.database.reopen() {
            Ok(()) => {
                self.broken = None;
                self.condition.set_failure(None);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the session store could not be opened again");
                self.condition.set_failure(Some(error.to_string()));
                self.backoff.failed();
                false
            }
        }
    }

    /// Deletes what time has overtaken, a part of the table at a time: nobody should wait long behind it. At its end
    /// the file is made smaller, if that is worth it.
    fn sweep(&mut self, is_tight: bool) -> Result<(), StoreError> {
        let every = self.ended_ttl.min(SWEEP_EVERY);
        if self.sweeping_from.is_none() && self.swept.elapsed() < every {
            return Ok(());
        }
        let expired = self.expired(if is_tight { FEW_ROWS } else { MOST_AT_ONCE })?;
        if self.sweeping_from.is_none() {
            self.swept = Instant::now();
        }
        if !expired.is_empty() {
            self.commit(&[], &expired.late, &expired)?;
        }
        if self.sweeping_from.is_none() {
            // Without it the file is only larger than it need be.
            if let Err(error) = self.database.compact() {
                tracing::warn!(%error, "the session store keeps room that it does not need");
            }
            // The old file may have had all of it.
            self.look_for_room();
        }
        Ok(())
    }

    /// What is over in the next part of the table, and where the part after it begins.
    fn expired(&mut self, limit: usize) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        let now = unix_millis(self.clock.now() - GRACE);
        let longest = self.clock.now() + self.ended_ttl;
        let (latest, too_late) = (unix_millis(longest), unix_millis(longest + GRACE));
        let reading = self.database.database()?.begin_read().map_err(failed)?;
        let from = self.sweeping_from.take().unwrap_or_default();

        let endings = reading.open_table(ENDED).map_err(failed)?;
        let sessions = reading.open_table(SESSIONS).map_err(failed)?;
        for (number, row) in sessions.range::<&Key>(&from..).map_err(failed)?.enumerate() {
            let (key, value) = row.map_err(failed)?;
            if number == MOST_AT_ONCE || expired.sessions.len() + expired.late.len() == limit {
                self.sweeping_from = Some(*key.value());
                break;
            }
            let end = self.pending.effective(key.value(), value.value().0);
            if now >= end {
                expired.sessions.push(*key.value());
            // Written before the machine's clock was set back, or with a longer idle timeout.
            } else if end > too_late {
                expired.late.push((*key.value(), latest));
            }
        }
        let until = self.sweeping_from.unwrap_or([u8::MAX; 32]);
        for row in endings.range::<&Key>(&from..=&until).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            if expired.endings.len() == limit {
                // The rest is the next sweep's.
                break;
            }
            let until = value.value().0;
            // The same as with a session's end.
            if now >= until || until > too_late {
                expired.endings.push(*key.value());
            }
        }
        Ok(expired)
    }

    fn commit(
        &self,
        jobs: &[Job],
        slides: &[(Key, u64)],
        expired: &Expired,
    ) -> Result<Vec<Result<Applied, StoreError>>, StoreError> {
        self.database
            .sync_folder()
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let snapshot = self.database.snapshot()?;
        let mut transaction = snapshot.database.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        let mut applied = Vec::with_capacity(jobs.len());
        {
            let now = self.clock.now();
            let mut tables = Tables::open(&transaction, &self.pending, now, self.ended_ttl)?;
            for (key, end) in slides {
                snapshot.check_written()?;
                tables.slide(key, *end)?;
            }
            for key in &expired.sessions {
                tables.end(key, None)?;
            }
            for key in &expired.endings {
                tables.forget_ending(key)?;
            }
            for job in jobs {
                // After a failure the pages of the transaction are kept in memory.
                snapshot.check_written()?;
                match tables.apply(&job.change, job.asked_at) {
                    // That one's own trouble: it has changed nothing, and the others' changes are good.
                    Err(error @ StoreError::Unreadable(_)) => applied.push(Err(error)),
                    outcome => applied.push(Ok(outcome?)),
                }
            }
        }
        transaction.commit().map_err(failed)?;
        snapshot.check_written()?;
        drop(snapshot);
        self.database.refresh()?;
        Ok(applied)
    }
}

fn refuse(jobs: Vec<Job>, why: &str) {
    for job in jobs {
        drop(job.done.send(Err(StoreError::Failed(why.to_owned()))));
    }
}

/// What is to be swept.
#[derive(Default)]
struct Expired {
    sessions: Vec<Key>,
    endings: Vec<Key>,
    /// Sessions whose end is further away than any can be, and where it is to be.
    late: Vec<(Key, u64)>,
}

impl Expired {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.endings.is_empty() && self.late.is_empty()
    }
}
