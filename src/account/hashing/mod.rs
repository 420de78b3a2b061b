//! Hashing and verifying passwords, on threads of its own.

mod queue;
mod stored;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use argon2::password_hash::phc::Salt;
use tokio::sync::oneshot;

use super::password::Prepared;
use queue::{Blocks, Job, Queue};
use stored::{Argon2Hash, OWN};

pub(super) use stored::{HashProblem, StoredHash};

/// How long a password waits for a thread.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// So many passwords are being hashed that this one would have waited for more than a second, or the machine gave no salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub(super) struct Busy;

/// Hashes passwords with argon2id, and verifies them. Cheap to clone; clones share their threads.
///
/// There are as many threads as cores. They start with the first password, run at a lower priority on Linux, and take who
/// came first; who would wait longer than a second is told so. Where the caller's future was dropped, nothing is computed; but
/// Rocket runs a handler to its end though its client has gone, so for a server the second is what bounds the queue. Each hash
/// needs 19 MiB, so all together need that times the number of cores; of the hashes that were imported and need more (256 MiB
/// at most), one is computed at a time.
#[derive(Clone, Debug)]
pub struct Hasher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: OnceLock<Queue>,
    threads: usize,
    max_wait: Duration,
    /// How many of our own hashes have been computed.
    computed: AtomicU64,
}

/// The outcome of verifying a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Check {
    Wrong,
    Right {
        /// A hash of ours, where the stored one is another.
        rehashed: Option<String>,
    },
}

impl Hasher {
    /// Starts no thread yet.
    #[must_use]
    pub fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_limits(cores, MAX_WAIT)
    }

    fn with_limits(threads: usize, max_wait: Duration) -> Self {
        Self(Arc::new(Inner {
            queue: OnceLock::new(),
            threads,
            max_wait,
            computed: AtomicU64::new(0),
        }))
    }

    /// A new hash, as a PHC string.
    pub(super) async fn hash(&self, password: Prepared) -> Result<String, Busy> {
        let inner = Arc::clone(&self.0);
        let hash = self.run(false, move |blocks| inner.hash(&password, blocks));
        hash.await?.ok_or(Busy)
    }

    /// Verifies a password against a stored hash; `None`: there is none. In any case it takes one of our own hashes, so that
    /// nobody learns by the time what was wrong; an imported hash is verified besides. So one that is much cheaper than ours
    /// cannot be told from ours; one that is dearer can, until its user has signed in and it has been replaced.
    ///
    /// `password`: `None` where it could not be prepared, and so can be nobody's.
    pub(super) async fn verify(
        &self,
        stored: Option<StoredHash>,
        password: Option<Prepared>,
    ) -> Result<Check, Busy> {
        let inner = Arc::clone(&self.0);
        let is_large = stored.as_ref().is_some_and(StoredHash::is_large);
        self.run(is_large, move |blocks| {
            inner.verify(stored.as_ref(), password.as_ref(), blocks)
        })
        .await
    }

    /// Runs `work` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        is_large: bool,
        work: impl FnOnce(&mut Blocks) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let start = || Queue::start(self.0.threads, self.0.max_wait);
        let queue = self.0.queue.get_or_init(start);
        queue.push(Job::new(is_large, move |blocks| {
            // Nobody waits for the answer any more.
            if !reply.is_closed() {
                let _gone = reply.send(work(blocks));
            }
        }));
        answer.await.map_err(|_| Busy)
    }

    /// How many of our own hashes have been computed.
    #[cfg(test)]
    pub(super) fn computed(&self) -> u64 {
        self.0.computed.load(Ordering::Relaxed)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn hash(&self, password: &Prepared, blocks: &mut Blocks) -> Option<String> {
        self.hash_bytes(password.as_bytes(), blocks)
    }

    fn hash_bytes(&self, password: &[u8], blocks: &mut Blocks) -> Option<String> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let hash = Argon2Hash::create(password, Salt::generate(), blocks)?;
        Some(hash.to_string())
    }

    fn verify(
        &self,
        stored: Option<&StoredHash>,
        password: Option<&Prepared>,
        blocks: &mut Blocks,
    ) -> Check {
        let (Some(stored), Some(password)) = (stored, password) else {
            let _missing = self.hash_bytes(b"", blocks);
            return Check::Wrong;
        };
        let is_right = stored.verify(password.as_bytes(), blocks);
        if stored.is_own() {
            self.computed.fetch_add(1, Ordering::Relaxed);
            return if is_right {
                Check::Right { rehashed: None }
            } else {
                Check::Wrong
            };
        }
        if stored.is_large() {
            blocks.truncate(OWN.block_count());
            blocks.shrink_to_fit();
        }
        let rehashed = self.hash(password, blocks);
        if is_right {
            Check::Right { rehashed }
        } else {
            Check::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;
    use crate::sign_in::Password;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(600);
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";
    const CHEAP: &str =
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";

    fn prepared(text: &str) -> Prepared {
        Prepared::new(&Password::new(text.to_owned())).unwrap()
    }

    fn stored(text: &str) -> StoredHash {
        StoredHash::parse(text).unwrap()
    }

    /// Polls once.
    async fn is_pending<T>(job: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
        poll_fn(|context| Poll::Ready(job.as_mut().poll(context).is_pending())).await
    }

    /// Something that keeps a thread busy until it is let go.
    struct Held {
        release: mpsc::Sender<()>,
        done: tokio::task::JoinHandle<Result<(), Busy>>,
    }

    impl Held {
        async fn start(hasher: &Hasher, is_large: bool) -> Self {
            let (started, has_started) = oneshot::channel();
            let (release, released) = mpsc::channel();
            let hasher = hasher.clone();
            let done = tokio::spawn(async move {
                let work = move |_: &mut Blocks| {
                    started.send(()).unwrap();
                    released.recv().unwrap();
                };
                hasher.run(is_large, work).await
            });
            has_started.await.unwrap();
            Self { release, done }
        }

        async fn end(self) {
            self.release.send(()).unwrap();
            assert_eq!(self.done.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_outcome_costs_one_of_our_hashes() {
        let hasher = Hasher::new();
        let own = hasher.hash(prepared("vexing quartz")).await.unwrap();
        let mut computed = hasher.computed();
        for (hash, password, is_right) in [
            (None, Some("vexing quartz"), false),
            (Some(own.as_str()), None, false),
            (Some(BCRYPT), None, false),
            (None, None, false),
            (Some(own.as_str()), Some("vexing quarts"), false),
            (Some(own.as_str()), Some("vexing quartz"), true),
            (Some(BCRYPT), Some("vexing quartz"), false),
            (Some(BCRYPT), Some("correct horse battery staple"), true),
            (Some(CHEAP), Some("vexing quartz"), false),
            (Some(CHEAP), Some("password"), true),
        ] {
            let check = hasher
                .verify(hash.map(stored), password.map(prepared))
                .await;
            let check = check.unwrap();
            assert_eq!(matches!(check, Check::Right { .. }), is_right);
            assert_eq!(hasher.computed() - computed, 1);
            computed = hasher.computed();
        }
    }

    #[tokio::test]
    async fn an_imported_hash_becomes_ours_and_is_of_the_whole_password() {
        let hasher = Hasher::new();
        let long = "$2y$04$abcdefghijklmnopqrstuum2G75IXDN/xsgbNa/hCiPSKyIHQd70S";
        let password = "0123456789".repeat(8);
        let check = hasher
            .verify(Some(stored(long)), Some(prepared(&password)))
            .await;
        let Ok(Check::Right {
            rehashed: Some(hash),
        }) = check
        else {
            panic!("the password is right");
        };
        for (password, is_right) in [(&password[..], true), (&password[..72], false)] {
            let check = hasher
                .verify(Some(stored(&hash)), Some(prepared(password)))
                .await;
            let expected = if is_right {
                Check::Right { rehashed: None }
            } else {
                Check::Wrong
            };
            assert!(check == Ok(expected));
        }
    }

    #[tokio::test]
    async fn who_comes_first_is_served_first_and_who_has_gone_is_not() {
        let hasher = Hasher::with_limits(1, LONG);
        let held = Held::start(&hasher, false).await;
        let (served, order) = mpsc::channel();
        let mut waiting = Vec::new();
        for number in 0..5 {
            let served = served.clone();
            let job = hasher.run(false, move |_| served.send(number).unwrap());
            // In the queue after one poll.
            let mut job = Box::pin(job);
            assert!(is_pending(&mut job).await);
            waiting.push(job);
        }
        drop(waiting.remove(2));
        held.end().await;
        for job in waiting {
            job.await.unwrap();
        }
        drop(served);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_for_too_long_is_told_so() {
        let hasher = Hasher::with_limits(1, Duration::from_millis(20));
        let held = Held::start(&hasher, false).await;
        // The thread is never free again while this waits.
        let late = hasher.hash(prepared("vexing quartz")).await;
        assert_eq!(late, Err(Busy));
        let late = hasher.run(false, |_| unreachable!("nobody waits")).await;
        assert_eq!(late, Err::<(), _>(Busy));
        held.end().await;
        assert_eq!(hasher.computed(), 0);
        let retried = Hasher::new().hash(prepared("vexing quartz")).await;
        assert!(retried.is_ok());
    }

    #[tokio::test]
    async fn one_hash_at_a_time_needs_more_memory_than_ours() {
        let hasher = Hasher::with_limits(2, LONG);
        let large = Held::start(&hasher, true).await;
        let mut second = Box::pin(hasher.run(true, |_| ()));
        assert!(is_pending(&mut second).await);
        // Those that came later pass it on the other thread.
        for _ in 0..3 {
            hasher.run(false, |_| ()).await.unwrap();
        }
        assert!(is_pending(&mut second).await);
        large.end().await;
        second.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_ends_no_thread() {
        let hasher = Hasher::with_limits(1, LONG);
        for _ in 0..2 {
            let lost = hasher
                .run(false, |_| std::panic::panic_any("a test's panic"))
                .await;
            assert_eq!(lost, Err::<(), _>(Busy));
            assert_eq!(hasher.run(false, |_| 1).await, Ok(1));
        }
    }

    #[tokio::test]
    async fn the_threads_end_with_the_last_clone() {
        let hasher = Hasher::with_limits(2, LONG);
        let (clone, shared) = (hasher.clone(), Arc::downgrade(&hasher.0));
        hasher.run(false, |_| ()).await.unwrap();
        drop(hasher);
        assert_eq!(clone.run(false, |_| 1).await, Ok(1));
        drop(clone);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn nothing_of_a_hash_is_shown_by_debug() {
        let shown = format!("{:?} {:?}", Hasher::new(), stored(BCRYPT));
        assert!(
            !shown.contains("$2y$") && !shown.contains("abcdef"),
            "{shown}"
        );
    }
}
