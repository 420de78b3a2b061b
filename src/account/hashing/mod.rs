//! Hashing and verifying passwords, on threads of its own.

mod queue;
mod stored;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use argon2::password_hash::phc::Salt;
use tokio::sync::oneshot;

use super::password::Prepared;
use queue::{Blocks, Job, Queue};
use stored::{Argon2Hash, OWN};

pub(super) use stored::{HashProblem, StoredHash};

/// So many passwords are being hashed that this one would have waited for more than a second, or the machine gave no salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub(super) struct Busy;

/// Hashes passwords with argon2id, and verifies them. Cheap to clone; clones share their threads.
///
/// There are as many threads as cores. They start with the first password, run at a lower priority on Linux, and take who
/// came first; who would wait longer than a second is told so, and who has gone is not served. Each hash needs 19 MiB, so all
/// together need that times the number of cores; of the hashes that were imported and need more (256 MiB at most), one is
/// computed at a time.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    queue: OnceLock<Queue>,
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
        Self::default()
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
    async fn run<T: Send + 'static>(
        &self,
        is_large: bool,
        work: impl FnOnce(&mut Blocks) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let queue = self.0.queue.get_or_init(|| {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            Queue::start(cores)
        });
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
