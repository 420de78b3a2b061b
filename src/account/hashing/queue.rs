//! Threads that hash, and the queue before them.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use argon2::Block;

/// Added to the threads' niceness on Linux, so that requests which hash nothing go first when the cores are busy.
const NICENESS: i32 = 10;

/// The blocks that one thread hashes with; kept while there is more to hash.
pub(super) type Blocks = Vec<Block>;

/// What is to be computed. Dropping it unrun tells its caller that there was no time for it.
pub(super) struct Job {
    pub(super) run: Box<dyn FnOnce(&mut Blocks) + Send>,
    /// Whether it needs more memory than our own hash: one of these runs at a time.
    pub(super) is_large: bool,
    asked: Instant,
}

impl Job {
    pub(super) fn new(is_large: bool, run: impl FnOnce(&mut Blocks) + Send + 'static) -> Self {
        Self {
            run: Box::new(run),
            is_large,
            asked: Instant::now(),
        }
    }
}

/// The handle of the threads, which end when the last handle is dropped.
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// For the hashing threads: there is a job, or the end.
    job: Condvar,
    /// For the timekeeper.
    waiting: Condvar,
    /// How long a job waits for a thread.
    max_wait: Duration,
}

#[derive(Default)]
struct State {
    /// The longest waiting first.
    jobs: VecDeque<Job>,
    large_runs: bool,
    is_closed: bool,
}

impl Queue {
    /// Starts `threads` threads that hash, and the timekeeper.
    pub(super) fn start(threads: usize, max_wait: Duration) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            job: Condvar::new(),
            waiting: Condvar::new(),
            max_wait,
        });
        for _ in 0..threads {
            spawn(&shared, "innkeeper-hash", Shared::hash);
        }
        // Real time, whatever tokio's clock says: a test that pauses it would move it ahead while it waits for a hash.
        spawn(&shared, "innkeeper-hash-q", Shared::keep_time);
        Self(shared)
    }

    /// First come, first served.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.0.lock();
        state.jobs.push_back(job);
        if state.jobs.len() == 1 {
            // Otherwise it waits for an older one.
            self.0.waiting.notify_one();
        }
        drop(state);
        self.0.job.notify_one();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.job.notify_all();
        self.0.waiting.notify_all();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

fn spawn(shared: &Arc<Shared>, name: &str, run: fn(&Shared)) {
    let shared = Arc::clone(shared);
    let started = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(&shared));
    if let Err(error) = started {
        // With no thread at all, each caller is told after `max_wait` that there was no time.
        tracing::error!(%error, "a thread that hashes passwords cannot be started");
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self) {
        if cfg!(target_os = "linux") {
            // On Linux "this process" is this thread. Without it everything works, only less evenly.
            let _ignored = rustix::process::setpriority_process(None, NICENESS);
        }
        let mut blocks = Blocks::new();
        while let Some(job) = self.next(&mut blocks) {
            let is_large = job.is_large;
            // The caller is told by the drop of what the job holds.
            let _panicked = catch_unwind(AssertUnwindSafe(|| (job.run)(&mut blocks)));
            if is_large {
                self.lock().large_runs = false;
                self.job.notify_one();
            }
        }
    }

    /// Waits for the next job; `None` at the end. While it waits, the thread has no memory but its stack.
    fn next(&self, blocks: &mut Blocks) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            let large_runs = state.large_runs;
            let may_run = |job: &Job| !(job.is_large && large_runs);
            if let Some(job) = state
                .jobs
                .iter()
                .position(may_run)
                .and_then(|at| state.jobs.remove(at))
            {
                state.large_runs |= job.is_large;
                return Some(job);
            }
            *blocks = Blocks::new();
            state = self.job.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops each job that has waited for too long.
    fn keep_time(&self) {
        let mut state = self.lock();
        while !state.is_closed {
            state = match state.jobs.front().map(|job| job.asked.elapsed()) {
                None => self
                    .waiting
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(waited) if waited < self.max_wait => {
                    let rest = self.max_wait.saturating_sub(waited);
                    let woken = self.waiting.wait_timeout(state, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let late = state.jobs.pop_front();
                    drop(state);
                    drop(late);
                    self.lock()
                }
            };
        }
    }
}
