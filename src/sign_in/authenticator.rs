//! The contract of a check.

use std::fmt;

use async_trait::async_trait;

use super::{AuthenticatorError, Password};
use crate::client::Client;
use crate::user_name::UserName;

/// Decides who somebody is: an application's own check goes here, see
/// [`Stage::authenticate_with`](crate::Stage::authenticate_with).
///
/// Everything around it is the same for every check: attempts are counted before it is asked, and refused beyond the
/// throttle's limits; a success starts a session under a new id, which is logged and counted.
///
/// Three outcomes are kept apart: this user, no (`Ok(None)`), and a check that cannot say (`Err`, answered with 503). For an
/// unknown name, a wrong password and a user who may not sign in it must answer `Ok(None)` after the same time, or strangers
/// learn who has an account.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Whether a password is asked for. Without one there is nothing to guess, so nothing is throttled. Default: `true`.
    fn needs_password(&self) -> bool {
        true
    }

    /// The account that a typed name stands for; all spellings of one account must give the same name, because its failed
    /// attempts are counted under it. `None`: there is no such account, and attempts count on their source alone.
    ///
    /// Default: each name is an account of its own.
    ///
    /// # Errors
    ///
    /// It cannot say.
    async fn account(&self, typed: &UserName) -> Result<Option<UserName>, AuthenticatorError> {
        Ok(Some(typed.clone()))
    }

    /// Whether [`account`](Self::account) tells names of accounts from others. Only then does the log name the account at which an
    /// attempt failed: people type their password into the wrong field. Default: `false`; say `true` where you write `account`.
    fn tells_accounts(&self) -> bool {
        false
    }

    /// Checks a user's credentials. Called for unknown names, too.
    ///
    /// # Errors
    ///
    /// It cannot say.
    async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Verified>, AuthenticatorError>;

    /// Whether a check that succeeded a moment ago still holds. It is asked after the session has been stored and before its
    /// cookie is given to anybody, so that a password change, which first changes the account and then ends its sessions,
    /// leaves none alive that the old password began. Default: `true`.
    ///
    /// # Errors
    ///
    /// It cannot say.
    async fn still_holds(&self, verified: &Verified) -> Result<bool, AuthenticatorError> {
        let _ = verified;
        Ok(true)
    }
}

/// What somebody who wants to sign in has typed, and where.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// The name, as it was typed and normalized.
    pub user: &'a UserName,
    /// The password; empty where none is asked for.
    pub password: &'a Password,
    /// Where the request came from.
    pub client: &'a Client,
}

impl<'a> Credentials<'a> {
    /// The three together.
    #[must_use]
    pub fn new(user: &'a UserName, password: &'a Password, client: &'a Client) -> Self {
        Self {
            user,
            password,
            client,
        }
    }
}

/// A user whose credentials were right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    user: UserName,
    stamp: Option<String>,
}

impl Verified {
    /// `user` is signed in under this name.
    #[must_use]
    pub fn new(user: UserName) -> Self {
        Self { user, stamp: None }
    }

    /// With a mark of the account's state, for [`Authenticator::still_holds`] to compare.
    #[must_use]
    pub fn with_stamp(self, stamp: impl Into<String>) -> Self {
        Self {
            stamp: Some(stamp.into()),
            ..self
        }
    }

    /// The name under which the user is signed in.
    #[must_use]
    pub fn user(&self) -> &UserName {
        &self.user
    }

    /// The mark; `None` where there is none.
    #[must_use]
    pub fn stamp(&self) -> Option<&str> {
        self.stamp.as_deref()
    }
}
