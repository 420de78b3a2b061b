//! The domain: what a session is, how long it lives, and where it may be kept.
//! Knows nothing of HTTP, of Redis or of Rocket.

mod ended;
mod field;
mod handle;
mod id;
mod lifetimes;
mod sessions;
mod stats;
mod store;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::de::DeserializeOwned;

use crate::client::Client;

pub use ended::{EndReason, EndedSession};
pub use field::FieldError;
pub use handle::{HandlePrefix, SessionHandle};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use sessions::{Listed, Resumed, Sessions, Started};
pub use stats::{ConnectionCount, StoreStats};
pub use store::{
    Created, EndOutcome, Listing, Live, NewSession, Selection, SessionStore, StoreError,
    WriteOutcome,
};

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
    pub client: Client,
}

impl Session {
    /// Reads one of the application's fields; `None` where it is not there.
    ///
    /// # Errors
    ///
    /// [`FieldError::Json`]: what is there is not of this type.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FieldError> {
        self.data
            .get(name)
            .map(|text| field::from_text(name, text))
            .transpose()
    }
}
