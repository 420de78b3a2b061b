//! The contract of a [`SessionStore`], as a suite of tests that a store of your own can be tried with.
//!
//! ```
//! use innkeeper::testing::contract::Setup;
//! use innkeeper::{EmbeddedStore, StorePath};
//!
//! /// An empty store, for one clause.
//! async fn open(setup: Setup) -> EmbeddedStore {
//!     EmbeddedStore::open(&StorePath::Memory, setup.lifetimes, setup.clock).expect("a store in memory")
//! }
//!
//! // In a module of tests: one `#[test]` a clause, each with a store of its own.
//! innkeeper::store_contract!(open);
//! ```
//!
//! A test that fails names the clause and says in a sentence what the store did. A store that measures time by a clock
//! of its own, which nobody can move (a server's, say), is tried by `store_contract!(open, Time::Own)`: clauses about
//! time then wait for some seconds. Whoever has a test harness of his own takes [`clauses`].
//!
//! The suite cannot try what a store does when its process is killed or its server is away: that is for tests of your
//! own, and the words of [`SessionStore`] say what is expected.

mod clause;
mod ends;
mod fields;
mod life;
mod lists;
mod operator;
mod setup;
mod subject;

pub use clause::{Clause, Violation, clauses, run};
pub use setup::{Opened, Setup, Time};

#[cfg(doc)]
use crate::session::SessionStore;
