//! Why an account was not made, or not changed.

use super::PasswordProblem;
use super::hashing::Busy;
use crate::session::StoreError;
use crate::sign_in::AuthenticatorError;

/// Why an account was not made, or not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The password is refused. The text is for the one who chose it.
    #[error(transparent)]
    Problem(#[from] PasswordProblem),
    /// Another account has this name.
    #[error("an account of this name exists already")]
    NameTaken,
    /// The first account's invitation needs a name.
    #[error("a user name is missing")]
    NameMissing,
    /// There is no such account, or its user may not sign in.
    #[error("there is no such account")]
    NoAccount,
    /// The invitation was used, has expired, or is worth nothing any more.
    #[error("this invitation is not valid any more")]
    NoInvitation,
    /// The password has been changed by somebody else at the same time, and is not this one.
    #[error("the password was changed at the same time")]
    Superseded,
    /// So many passwords are being hashed that this one would wait for too long.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// Some of the user's sessions may be alive, so the password has not been changed, or the account not removed.
    #[error("not all sessions have ended ({ended} have): {error}")]
    NotAllEnded {
        /// How many have ended.
        ended: usize,
        /// Why others may be alive.
        error: String,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for AccountError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl From<Busy> for AuthenticatorError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}
