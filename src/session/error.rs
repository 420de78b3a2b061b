//! The errors of a store and of a session's fields.

use std::error::Error;
use std::time::Duration;

/// Why a store could not do its work. Written for the operator, and never names an id or a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The time that a request may spend on the store has passed.
    #[error("the session store did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The store cannot be reached, or cannot work at all.
    #[error("the session store cannot be reached: {0}")]
    Unreachable(String),
    /// The store answered with a failure.
    #[error("the session store failed: {0}")]
    Failed(String),
    /// A record is there and cannot be read as a session.
    #[error("a session's record cannot be read")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// The reason without the words about the store, for an error that contains it.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unreachable(reason) | Self::Failed(reason) => reason.clone(),
            Self::Timeout(_) | Self::Unreadable(_) => self.to_string(),
        }
    }
}

/// Why a field was not written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is empty, has over 64 characters, begins with `_`, or is `user` or `status`.
    #[error("`{0}` cannot be the name of a session's field")]
    Name(String),
    /// The value's JSON has over 4096 bytes.
    #[error("the session's field `{0}` is too large")]
    TooLarge(String),
    /// The session has 32 fields already, and this would be one more.
    #[error("the session has as many fields as it may have")]
    TooMany,
    /// The value cannot be written as JSON, or the stored text cannot be read as this type.
    #[error("the session's field `{name}` does not fit its type as JSON")]
    Json {
        /// The field.
        name: String,
        /// The error of serde.
        #[source]
        source: serde_json::Error,
    },
    /// The session is over; nothing was written.
    #[error("the session has ended")]
    Ended,
    /// The store could not do it; it may or may not have been written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
