//! The domain: what a session is, how long it lives, and where it may be kept.
//! Knows nothing of HTTP, of Redis or of Rocket.

mod active;
mod ended;
mod field;
mod handle;
mod id;
mod lifetimes;
mod sessions;
mod stats;
mod store;

pub use active::{ActiveSession, Session};
pub use ended::{EndReason, EndedSession};
pub use field::FieldError;
pub use handle::{HandlePrefix, SessionHandle};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use sessions::{ListedSession, Sessions, Started};
pub use stats::{ConnectionCount, StoreStats};
pub use store::{
    Created, EndOutcome, Listing, NewSession, Selection, SessionStore, StoreError, WriteOutcome,
};
