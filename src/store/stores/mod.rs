//! All that is kept in one place: sessions, what a sign-in counts, and accounts.

#[cfg(feature = "password")]
mod accounts;
#[cfg(not(feature = "password"))]
mod without_accounts;

use std::sync::Arc;

#[cfg(feature = "password")]
pub(crate) use self::accounts::{Accounts, KeepsAccounts};
#[cfg(not(feature = "password"))]
use self::without_accounts as accounts;
#[cfg(not(feature = "password"))]
pub(crate) use self::without_accounts::{Accounts, KeepsAccounts};
use super::memory_sign_in::MemorySignInStore;
use crate::clock::Clock;
use crate::session::SessionStore;
use crate::sign_in::SignInStore;

/// What is kept in one place.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) sign_in: Arc<dyn SignInStore>,
    /// None where the application brings its own session store; nothing without the feature `password`.
    pub(crate) accounts: Accounts,
}

impl Stores {
    /// One of ours, which keeps all three.
    pub(crate) fn new<S: SessionStore + SignInStore + KeepsAccounts>(store: S) -> Self {
        let store = Arc::new(store);
        Self {
            sessions: Arc::clone(&store) as Arc<dyn SessionStore>,
            sign_in: Arc::clone(&store) as Arc<dyn SignInStore>,
            accounts: accounts::of(store),
        }
    }

    /// What an operator's commands need: whoever runs them is not counted.
    pub(crate) fn for_commands<S: SessionStore + KeepsAccounts>(store: S, clock: Clock) -> Self {
        let store = Arc::new(store);
        Self {
            accounts: accounts::of(Arc::clone(&store)),
            ..Self::with_sessions(store, clock)
        }
    }

    /// An application's own store of sessions; what a sign-in counts is kept in memory.
    pub(crate) fn with_sessions(sessions: Arc<dyn SessionStore>, clock: Clock) -> Self {
        Self {
            sessions,
            sign_in: Arc::new(MemorySignInStore::new(clock)),
            accounts: accounts::none(),
        }
    }
}
