//! What a store is opened with, and what the suite is given.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::session::{Lifetimes, SessionStore};

/// What a clause needs of the store that is opened for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// How long sessions are to live.
    pub lifetimes: Lifetimes,
    /// The clock to measure them by; the suite moves it, see [`Time::Given`].
    pub clock: Clock,
    /// Whether the clause calls the methods that are for an operator (such as
    /// [`list_all`](SessionStore::list_all)), for which a store may need more rights on its server.
    pub for_operator: bool,
}

/// Whose clock a store measures time by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The one in [`Setup::clock`]. The suite moves it ahead, so that no clause waits.
    Given,
    /// One of its own. The clauses about time wait, for up to five seconds each.
    Own,
}

/// A store that was opened, empty, for one clause.
pub struct Opened {
    // Dropped before the guard.
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Opened {
    /// A store by itself. Where nothing is to be kept with it, return the store as it is.
    #[must_use]
    pub fn new(store: impl SessionStore) -> Self {
        Self {
            store: Arc::new(store),
            guard: None,
        }
    }

    /// Keeps a value as long as the store, and drops it after the store: a temporary folder, or a server that was started
    /// for the test.
    #[must_use]
    pub fn keep(self, guard: impl Any + Send + Sync) -> Self {
        Self {
            guard: Some(Box::new((self.guard, guard))),
            ..self
        }
    }
}

impl<S: SessionStore> From<S> for Opened {
    fn from(store: S) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
