//! The domain: what a session is, how long it lives, and where it may be kept.
//! Knows nothing of HTTP, of Redis or of Rocket.

mod clock;
mod id;
mod lifetimes;
mod sessions;
mod store;
mod user_name;

use std::collections::BTreeMap;
use std::time::SystemTime;

pub use clock::Clock;
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use sessions::{Resumed, Sessions};
pub use store::{SessionStore, StoreError};
pub use user_name::{NameError, UserName};

/// What the server remembers about one visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    /// A `String` and not a [`UserName`]: a session that another program began may hold any name.
    pub user: String,
    /// `active` in every session that Innkeeper begins.
    pub status: String,
    /// The application's own fields.
    pub data: BTreeMap<String, String>,
    /// When the visitor signed in, to the second; `None` where another program began the session.
    pub created_at: Option<SystemTime>,
    /// The browser or program, and the address, that signed in.
    pub visitor: Visitor,
}

/// Where a sign-in came from, as far as the request told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The client's address.
    pub ip: Option<String>,
    /// The `User-Agent` header, cut to 256 characters.
    pub agent: Option<String>,
}
