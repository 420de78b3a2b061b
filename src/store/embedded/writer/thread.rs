//! Groups the jobs that wait into one commit, writes the pending expiries once a second, and sweeps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::backoff::Backoff;
use super::condition::Condition;
use super::job::{Effect, Job};
use super::sweep::{Expired, Sweep};
use crate::clock::Clock;
use crate::session::StoreError;
use crate::store::embedded::changes::Tables;
use crate::store::embedded::changes::pending_expiry::PendingExpiries;
use crate::store::embedded::database::Database;
use crate::store::embedded::database::error::panic_message;
use crate::store::embedded::database::schema::Key;

/// How long a pending expiry may stay in memory only.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// The most jobs, or rows of a sweep, in one commit, so that none waits long behind the others.
const MAX_BATCH: usize = 10_000;
/// The same while the disk is full, when a commit must fit into the `Reserve`.
const MAX_JOBS_WHEN_FULL: usize = 16;
pub(crate) const MAX_ROWS_WHEN_FULL: usize = 100;
/// How long pending expiries are then written, in small commits, before the jobs that have come meanwhile.
const MAX_FLUSH_WHEN_FULL: Duration = Duration::from_millis(200);
/// How long the thread waits for jobs between two parts of a sweep.
const SWEEP_PAUSE: Duration = Duration::from_millis(10);
/// After this many panics without a commit between them the thread ends. No single job can cause so many.
const MAX_PANICS: u32 = 5;

pub(crate) struct WriterThread {
    database: Arc<Database>,
    pending: Arc<PendingExpiries>,
    condition: Arc<Condition>,
    clock: Clock,
    /// How long the reason of an end is kept: the idle timeout.
    ended_ttl: Duration,
    flushed_at: Instant,
    sweep: Sweep,
    backoff: Backoff,
    /// Whether the last failure was that of a full disk.
    was_full: bool,
    /// Since the last commit.
    panics: u32,
}

impl WriterThread {
    pub(crate) fn new(
        database: Arc<Database>,
        pending: Arc<PendingExpiries>,
        condition: Arc<Condition>,
        clock: Clock,
        ended_ttl: Duration,
    ) -> Self {
        Self {
            database,
            pending,
            condition,
            clock,
            ended_ttl,
            flushed_at: Instant::now(),
            sweep: Sweep::new(ended_ttl),
            backoff: Backoff::default(),
            was_full: false,
            panics: 0,
        }
    }

    /// Works until the last sender of jobs is dropped, writes the pending expiries, and closes the database.
    pub(crate) fn run(mut self, inbox: &Receiver<Job>) {
        self.database.refill_reserve();
        if !self.database.has_reserve() {
            tracing::warn!(
                "the file system of the session store keeps no room for a file: when the disk is full, not even \
                 sign-outs can be written"
            );
        }
        loop {
            let wait = if self.sweep.is_under_way() {
                SWEEP_PAUSE
            } else {
                FLUSH_INTERVAL.saturating_sub(self.flushed_at.elapsed())
            };
            let first = match inbox.recv_timeout(wait) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let rest = inbox.try_iter().take(MAX_BATCH);
            if !self.run_batch(first.into_iter().chain(rest).collect()) {
                tracing::error!("sessions are not written any more; only a restart can help");
                return;
            }
        }
        self.backoff.succeeded();
        self.run_batch(vec![Job {
            effect: Effect::Flushes,
            asked_at: self.clock.now(),
            change: Box::new(|_| Ok(())),
            done: oneshot::channel().0,
        }]);
        self.database.close();
    }

    /// A panic ends the jobs of its batch, and not the thread; `false`: there have been too many.
    fn run_batch(&mut self, jobs: Vec<Job>) -> bool {
        self.condition.begin_batch();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.batch(jobs))) {
            let error = panic_message(&*panic);
            tracing::error!(error, "writing sessions panicked");
            self.panics += 1;
            let failure = "its writer panicked".to_owned();
            self.condition.set_failure(Some(failure));
            // If that panics too, the next batch tries it again.
            drop(catch_unwind(AssertUnwindSafe(|| self.reopen())));
        }
        self.condition.end_batch();
        self.panics < MAX_PANICS
    }

    fn batch(&mut self, mut jobs: Vec<Job>) {
        jobs.retain(|job| !job.is_abandoned());
        // Not again while the writer has failed: each failing read would put off the next attempt to reopen.
        if self.condition.failure().is_none()
            && let Some(error) = self.database.take_read_failure()
        {
            self.set_failed(&error);
        }
        if let Some(why) = self.condition.failure()
            && (self.backoff.is_waiting() || !self.reopen())
        {
            finish(jobs, Err(&why));
            return;
        }
        let is_due = self.flushed_at.elapsed() >= FLUSH_INTERVAL;
        let is_asked_for = jobs.iter().any(|job| job.effect == Effect::Flushes);
        if is_due {
            self.backoff.forget_if_old();
            self.database.refill_reserve();
        }
        // The disk is full, or a commit has failed a moment ago: only changes that need no room are made.
        let is_tight = self.backoff.is_waiting() || self.database.is_full();
        if is_tight {
            self.fail_growing(&mut jobs);
        }
        let expiries = if is_asked_for || is_due && !self.backoff.is_waiting() {
            self.pending.to_vec()
        } else {
            Vec::new()
        };
        if is_asked_for || is_due {
            self.flushed_at = Instant::now();
        }
        if is_tight {
            // No job waits behind the last flush.
            let limit = (!is_asked_for).then_some(MAX_FLUSH_WHEN_FULL);
            self.write_in_small_commits(jobs, &expiries, limit);
        } else if !jobs.is_empty() || !expiries.is_empty() {
            self.write(jobs, &expiries);
        }
        let limit = if is_tight {
            MAX_ROWS_WHEN_FULL
        } else {
            MAX_BATCH
        };
        if self.condition.failure().is_none()
            && let Err(error) = self.sweep(limit)
        {
            self.set_failed(&error);
            self.reopen();
        }
        self.update_full();
    }

    fn fail_growing(&self, jobs: &mut Vec<Job>) {
        let is_full = self.was_full || !self.backoff.is_waiting();
        let reason = if is_full {
            "the disk is full"
        } else {
            "its file could not be written a moment ago"
        };
        finish(take(jobs, Effect::Grows), Err(reason));
    }

    fn update_full(&self) {
        let is_full = self.database.is_full() || self.was_full && self.backoff.has_failed();
        if is_full == self.condition.is_full() {
            return;
        }
        self.condition.set_full(is_full);
        if is_full && !self.database.has_reserve() {
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

    fn write_in_small_commits(
        &mut self,
        mut jobs: Vec<Job>,
        expiries: &[(Key, u64)],
        limit: Option<Duration>,
    ) {
        for job in take(&mut jobs, Effect::ShrinksMuch) {
            self.write(vec![job], &[]);
        }
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            self.write(jobs.by_ref().take(MAX_JOBS_WHEN_FULL).collect(), &[]);
        }
        let begun = Instant::now();
        for some in expiries.chunks(MAX_ROWS_WHEN_FULL) {
            if limit.is_some_and(|limit| begun.elapsed() > limit) {
                // The rest is the next second's.
                return;
            }
            self.write(Vec::new(), some);
        }
    }

    fn write(&mut self, jobs: Vec<Job>, expiries: &[(Key, u64)]) {
        if let Some(why) = self.condition.failure() {
            finish(jobs, Err(&why));
            return;
        }
        match self.commit(&jobs, expiries, &Expired::default()) {
            Ok(()) => {
                self.pending.remove_committed(expiries);
                self.panics = 0;
                if jobs.iter().any(|job| job.effect == Effect::Grows) {
                    self.backoff.succeeded();
                } else {
                    self.backoff.forget_if_old();
                }
                finish(jobs, Ok(()));
            }
            Err(error) => self.write_again(jobs, expiries, &error),
        }
    }

    /// After a failed commit: the jobs that do not grow the file are tried once more, without the rest.
    fn write_again(&mut self, mut jobs: Vec<Job>, expiries: &[(Key, u64)], error: &StoreError) {
        self.set_failed(error);
        let why = error.reason();
        let growing = take(&mut jobs, Effect::Grows);
        let was_all = growing.is_empty() && expiries.is_empty();
        finish(growing, Err(&why));
        if was_all || !self.reopen() {
            finish(jobs, Err(&why));
        } else if !jobs.is_empty() {
            self.write(jobs, &[]);
        }
    }

    fn set_failed(&mut self, error: &StoreError) {
        tracing::error!(%error, "sessions could not be written");
        self.was_full = self.database.is_full();
        self.backoff.failed();
        self.condition.set_failure(Some(error.reason()));
    }

    fn reopen(&mut self) -> bool {
        match self.database.reopen() {
            Ok(()) => {
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

    /// Removes what has expired in the next part of the file. At its end the file is compacted, if that is worth it.
    fn sweep(&mut self, limit: usize) -> Result<(), StoreError> {
        if !self.sweep.is_due() {
            return Ok(());
        }
        let snapshot = self.database.snapshot()?;
        let now = self.clock.now();
        let expired = self.sweep.next_part(&snapshot, &self.pending, now, limit)?;
        drop(snapshot);
        if !expired.is_empty() {
            self.commit(&[], &[], &expired)?;
        }
        if !self.sweep.is_under_way() {
            // If that fails, the file is only larger than it need be.
            if let Err(error) = self.database.compact() {
                tracing::warn!(%error, "the session store keeps room that it does not need");
            }
            // The old file may have had the whole reserve.
            self.database.refill_reserve();
        }
        Ok(())
    }

    fn commit(
        &self,
        jobs: &[Job],
        expiries: &[(Key, u64)],
        expired: &Expired,
    ) -> Result<(), StoreError> {
        self.database.commit(|transaction, file| {
            let now = self.clock.now();
            let mut tables = Tables::open(transaction, &self.pending, now, self.ended_ttl)?;
            // After a failure all further pages of the transaction would be kept in memory.
            for (key, expires_at) in expiries.iter().chain(&expired.too_late) {
                file.check_written()?;
                tables.set_expiry(key, *expires_at)?;
            }
            expired.remove(&mut tables)?;
            for job in jobs {
                file.check_written()?;
                job.apply(&mut tables)?;
            }
            Ok(())
        })
    }
}

fn take(jobs: &mut Vec<Job>, effect: Effect) -> Vec<Job> {
    jobs.extract_if(.., |job| job.effect == effect).collect()
}

fn finish(jobs: Vec<Job>, outcome: Result<(), &str>) {
    for job in jobs {
        let outcome = outcome.map_err(|reason| StoreError::Failed(reason.to_owned()));
        // Sending fails if the request was given up.
        drop(job.done.send(outcome));
    }
}
