//! The domain: what a session is, how long it lives, and where it may be kept.
//! Knows nothing of HTTP, of Redis or of Rocket.

mod clock;
mod ending;
mod field;
mod handle;
mod id;
mod lifetimes;
mod sessions;
mod store;
mod user_name;
mod vitals;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::de::DeserializeOwned;

pub use clock::Clock;
pub(crate) use clock::{at_unix_time, rfc3339, since_1970};
pub use ending::{Ending, Reason};
pub use field::FieldError;
pub use handle::{Handle, HandlePrefix};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use sessions::{Listed, Resumed, Sessions, Started};
pub use store::{
    Displaced, EndOutcome, Listing, Live, NewSession, SessionStore, StoreError, Which, Written,
};
pub(crate) use user_name::is_forbidden;
pub use user_name::{NameError, UserName};
pub use vitals::{ConnectionCount, Vitals};

/// What the server remembers about one visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    /// A `String` and not a [`UserName`]: a session that another program began may hold any name.
    pub user: String,
    /// `active` in every session that Innkeeper begins; empty where another program wrote none.
    pub status: String,
    /// The application's own fields, each value as JSON; a text that is none stands for itself.
    pub data: BTreeMap<String, String>,
    /// When the visitor signed in, to the second; `None` where another program began the session.
    pub created_at: Option<SystemTime>,
    /// The browser or program, and the address, that signed in.
    pub visitor: Visitor,
}

impl Session {
    /// Reads one of the application's fields; `None` where it is not there.
    ///
    /// # Errors
    ///
    /// [`FieldError::Form`]: what is there is not of this type.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FieldError> {
        self.data
            .get(name)
            .map(|text| field::from_text(name, text))
            .transpose()
    }
}

/// Where a sign-in came from, as far as the request told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The client's address.
    pub ip: Option<String>,
    /// What the `User-Agent` header says; the sign-in keeps at most 64 bytes of it.
    pub agent: Option<String>,
}
