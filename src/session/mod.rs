//! The domain: sessions, their lifetimes, and the contract of a store. No HTTP, no Redis, no Rocket.

mod active;
mod ended;
mod error;
pub(crate) mod field;
mod handle;
mod id;
mod lifetimes;
mod sessions;
mod store;

pub use active::{ActiveSession, Session};
pub(crate) use active::{NEW_SIGN_IN, PROVED};
pub use ended::{EndReason, EndedSession};
pub use error::{FieldError, StoreError};
pub use handle::{HandlePrefix, SessionHandle};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use sessions::{ListedSession, Sessions, Started};
pub use store::{
    ConnectionCount, Created, EndOutcome, Listing, NewSession, Selection, SessionStore, StoreStats,
    WriteOutcome,
};
