//! The one thread that writes, and the handle to it.

mod backoff;
mod condition;
mod job;
mod sweep;
mod thread;

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::condition::Condition;
pub(crate) use self::job::Effect;
use self::job::Job;
pub(crate) use self::thread::MAX_ROWS_WHEN_FULL;
use self::thread::WriterThread;
use crate::clock::Clock;
use crate::session::StoreError;
use crate::store::embedded::changes::Tables;
use crate::store::embedded::changes::pending_expiry::PendingExpiries;
use crate::store::embedded::database::Database;

/// A handle to the writer's thread. Its drop lets the thread write the remaining changes, and waits for that.
#[derive(Debug)]
pub(crate) struct Writer {
    clock: Clock,
    condition: Arc<Condition>,
    /// `None` once it is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// How long dropping it waits; `None`: as long as the thread takes.
    timeout: Option<Duration>,
    /// Since when the end of the thread is waited for.
    closing_since: OnceLock<Instant>,
}

impl Writer {
    pub(crate) fn start(
        database: Arc<Database>,
        pending: Arc<PendingExpiries>,
        clock: Clock,
        ended_ttl: Duration,
        timeout: Option<Duration>,
    ) -> io::Result<Self> {
        let condition = Arc::new(Condition::default());
        let (jobs, inbox) = mpsc::channel();
        let thread = WriterThread::new(
            database,
            pending,
            Arc::clone(&condition),
            clock.clone(),
            ended_ttl,
        );
        let thread = Builder::new()
            .name("session-writer".to_owned())
            .spawn(move || thread.run(&inbox))?;
        Ok(Self {
            clock,
            condition,
            jobs: Some(jobs),
            thread: Some(thread),
            timeout,
            closing_since: OnceLock::new(),
        })
    }

    /// Makes a change, and returns its answer when it is on disk.
    ///
    /// Fails at once where nothing can be written: while the file is opened again, or its volume hangs, the thread does
    /// nothing else, and more and more jobs would wait for it.
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        effect: Effect,
        change: impl Fn(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.condition.check()?;
        let answer = Arc::new(Mutex::new(None));
        let answered = Arc::clone(&answer);
        let done = self.send(effect, move |tables| {
            let outcome = match change(tables) {
                // The fault of one record: this job has changed nothing, and the changes of the others are good.
                Err(error @ StoreError::Unreadable(_)) => Err(error),
                outcome => Ok(outcome?),
            };
            *lock(&answered) = Some(outcome);
            Ok(())
        })?;
        match (done.await, lock(&answer).take()) {
            (Ok(Ok(())), Some(outcome)) => outcome,
            (Ok(Err(error)), _) => Err(error),
            _ => Err(StoreError::Failed(
                "its writer panicked over what was to be written".to_owned(),
            )),
        }
    }

    /// Hands the change to the thread, whatever its condition.
    pub(crate) fn send(
        &self,
        effect: Effect,
        change: impl Fn(&mut Tables<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let (done, outcome) = oneshot::channel();
        let job = Job {
            effect,
            asked_at: self.clock.now(),
            change: Box::new(change),
            done,
        };
        let sent = self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok());
        sent.map(|()| outcome).ok_or_else(stopped)
    }

    /// Lets a change panic.
    #[cfg(test)]
    pub(crate) async fn panic(&self) {
        let sent = self.send(Effect::Shrinks, |_| panic!("a change that panics"));
        if let Ok(answer) = sent {
            assert!(answer.await.is_err());
        }
    }

    /// Fails if a change would not be on disk soon.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.has_ended() {
            return Err(stopped());
        }
        self.condition.check()
    }

    /// Whether no session can be added, while those that are there can be used and ended.
    pub(crate) fn is_full(&self) -> bool {
        self.condition.is_full()
    }

    /// Whether the thread has ended, so that nothing will be written any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// For a caller that has waited in vain for the last changes: its wait counts as time that the drop has waited.
    pub(crate) fn set_closing_since(&self, since: Instant) {
        // The first caller has waited longest.
        let _ = self.closing_since.set(since);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stopped() -> StoreError {
    StoreError::Failed("its writer has stopped".to_owned())
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        let begun = *self.closing_since.get_or_init(Instant::now);
        while !thread.is_finished() {
            if self.timeout.is_some_and(|limit| begun.elapsed() > limit) {
                tracing::error!("the session store does not come to an end, and is left to itself");
                return;
            }
            sleep(Duration::from_millis(1));
        }
        if thread.join().is_err() {
            tracing::error!("the session writer panicked");
        }
    }
}
