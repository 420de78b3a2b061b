//! Why somebody was not verified.

use std::time::Duration;

use crate::session::StoreError;
use crate::user_name::UserName;

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
#[derive(Debug)]
pub(crate) enum VerifyError {
    /// No such account, a wrong password, or a user who may not sign in: nobody is told which.
    Wrong {
        /// For the log; a name that is no account's is none, because people type passwords there.
        account: Option<UserName>,
    },
    /// Too many attempts have failed lately. The password was not looked at.
    TooMany {
        account: Option<UserName>,
        /// How long until the next one is counted.
        retry_after: Duration,
    },
    /// The check or the throttle cannot say.
    Unavailable(AuthenticatorError),
}

impl From<AuthenticatorError> for VerifyError {
    fn from(error: AuthenticatorError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}
