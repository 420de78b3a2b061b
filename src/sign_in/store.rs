//! The contract of the store for what a sign-in counts and remembers.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::Digest;
use crate::session::StoreError;
use crate::user_name::UserName;

/// Keeps counts of attempts, and the browsers that have signed in before. Shared by all instances where the store is.
#[async_trait]
pub trait SignInStore: fmt::Debug + Send + Sync + 'static {
    /// Counts one attempt, unless as many as allowed have been counted already: asking, counting and setting the expiry are one
    /// atomic step, so that of fifty attempts at once no more than the limit pass.
    ///
    /// The window begins with the first attempt, and is not prolonged by others.
    ///
    /// # Errors
    ///
    /// It may or may not have been counted. The caller must not go on.
    async fn count(&self, attempts: &Attempts) -> Result<Counted, StoreError>;

    /// Takes back one attempt that was counted, if its window is not over. Never done twice, even where a reply was lost: a guess
    /// too many would pass.
    ///
    /// # Errors
    ///
    /// It may still be counted.
    async fn uncount(&self, counter: &Digest) -> Result<(), StoreError>;

    /// Forgets a counter.
    ///
    /// # Errors
    ///
    /// It may still be there.
    async fn reset(&self, counter: &Digest) -> Result<(), StoreError>;

    /// Remembers for `ttl` that a browser has signed in as `user`: `device` is the digest of its cookie.
    ///
    /// # Errors
    ///
    /// It may not be remembered.
    async fn remember_device(
        &self,
        device: &Digest,
        user: &UserName,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Whether a browser has signed in as `user` before.
    ///
    /// # Errors
    ///
    /// It may have.
    async fn knows_device(&self, device: &Digest, user: &UserName) -> Result<bool, StoreError>;
}

/// One counter of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// What they are counted under.
    pub counter: Digest,
    /// The most that pass within `window`.
    pub limit: u32,
    /// How long after the first of them the count begins anew.
    pub window: Duration,
}

impl Attempts {
    /// At most `limit` pass within `window`.
    #[must_use]
    pub fn new(counter: Digest, limit: u32, window: Duration) -> Self {
        Self {
            counter,
            limit,
            window,
        }
    }
}

/// The outcome of counting an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It was counted.
    Allowed,
    /// It was not counted: the limit is reached.
    Refused {
        /// When the window ends.
        retry_after: Duration,
    },
}
