//! Why somebody was not verified.

use std::time::Duration;

use crate::session::StoreError;

/// Why an [`Authenticator`](super::Authenticator) cannot say who somebody is. Written for the operator; it must not hold what
/// was typed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticatorError {
    /// The accounts cannot be read.
    #[error("accounts cannot be read: {0}")]
    Store(#[from] StoreError),
    /// So many passwords are being checked that this one would wait for too long.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// Another reason, of an application's own check.
    #[error("{0}")]
    Unavailable(String),
}

/// Why somebody was not verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No such account, a wrong password, or a user who may not sign in: nobody is told which.
    #[error("user name or password is wrong")]
    Wrong,
    /// Too many attempts have failed lately. The password was not looked at.
    #[error("too many attempts")]
    TooMany {
        /// How long until the next one is counted.
        retry_after: Duration,
    },
    /// The check or the throttle cannot say.
    #[error(transparent)]
    Unavailable(#[from] AuthenticatorError),
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}
