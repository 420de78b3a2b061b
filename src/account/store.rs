//! The contract of the store for accounts: the trait and its types.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::clock::unix_micros;
use crate::session::StoreError;
use crate::sign_in::{Digest, Verified};
use crate::user_name::UserName;

/// Keeps accounts, where the sessions are kept. An account has no time to live.
///
/// Each method is one atomic step on one account, and may be repeated when its reply was lost: doing it twice is doing it
/// once. Names compare exactly.
///
/// None of them ends a session: [`Accounts`](super::Accounts) does, in an order that leaves none alive.
#[async_trait]
pub trait AccountStore: fmt::Debug + Send + Sync + 'static {
    /// Reads an account; `None` if there is none.
    ///
    /// # Errors
    ///
    /// There may be one.
    async fn account(&self, user: &UserName) -> Result<Option<Account>, StoreError>;

    /// Writes a new account; `false` if the name is taken, unless by this very account (the same `password`), and then
    /// nothing is written.
    ///
    /// # Errors
    ///
    /// It may or may not be there.
    async fn add(&self, user: &UserName, account: &Account) -> Result<bool, StoreError>;

    /// Begins a change of password: until [`set_password`](Self::set_password) with the same `change`, or for a minute at
    /// most, [`Account::is_changing`] is true, so that no sign-in succeeds. A later `begin_change` takes an earlier one's place.
    /// `false` if there is no account.
    ///
    /// # Errors
    ///
    /// It may have begun.
    async fn begin_change(&self, user: &UserName, change: &Digest) -> Result<bool, StoreError>;

    /// Gives a change up: the account is as before it. Does nothing if another one has taken its place.
    ///
    /// # Errors
    ///
    /// It may not be given up yet; it is after a minute.
    async fn cancel_change(&self, user: &UserName, change: &Digest) -> Result<(), StoreError>;

    /// Completes the change: writes the password and when that was.
    ///
    /// # Errors
    ///
    /// It may or may not have been written.
    async fn set_password(
        &self,
        user: &UserName,
        change: &Digest,
        password: &str,
        changed: SystemTime,
    ) -> Result<SetPassword, StoreError>;

    /// Replaces the stored password by another hash of the same one, if it is still `old`. Changes nothing else.
    ///
    /// # Errors
    ///
    /// It may or may not have been replaced.
    async fn rehash(&self, user: &UserName, old: &str, new: &str) -> Result<(), StoreError>;

    /// Disables or enables an account; `false` if there is none.
    ///
    /// # Errors
    ///
    /// It may or may not have been done.
    async fn set_disabled(&self, user: &UserName, disabled: bool) -> Result<bool, StoreError>;

    /// Removes the account that was made at `created`; `false` if there is none. A later one of the same name stays.
    ///
    /// # Errors
    ///
    /// It may or may not be there.
    async fn remove(&self, user: &UserName, created: SystemTime) -> Result<bool, StoreError>;

    /// Passes every account to `found`, in any order. An account that is added or removed meanwhile may be missing, and one
    /// may be passed twice. It may take long: it is for an operator.
    ///
    /// # Errors
    ///
    /// `found` has not seen all of them.
    async fn list(
        &self,
        found: &mut (dyn FnMut(UserName, Account) + Send),
    ) -> Result<(), StoreError>;

    /// Whether there is no account at all.
    ///
    /// Default: by [`list`](Self::list), which is slow where there are many.
    ///
    /// # Errors
    ///
    /// There may be accounts.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        let mut found = false;
        self.list(&mut |_, _| found = true).await?;
        Ok(!found)
    }

    /// Keeps an invitation for `ttl`: `token` is the digest of its secret. Where several instances share the store, one that was
    /// taken a moment ago stays taken.
    ///
    /// # Errors
    ///
    /// It may not be kept.
    async fn invite(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Keeps an invitation that was taken for nothing, so that it can be taken again.
    ///
    /// Default: as [`invite`](Self::invite), which does it where that one forgets what was taken.
    ///
    /// # Errors
    ///
    /// It may not be kept.
    async fn give_back(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.invite(token, invitation, ttl).await
    }

    /// Reads an invitation that has not expired; `None` if there is none. Uses nothing up.
    ///
    /// # Errors
    ///
    /// There may be one.
    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError>;

    /// Takes an invitation: of many that try at once, one gets it. Whether it has expired is decided now.
    ///
    /// # Errors
    ///
    /// It may be used up.
    async fn take_invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError>;
}

/// An account, as it is stored.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The hash of the password: a PHC string, or a bcrypt hash that was imported. `None`: no password has been chosen yet, and
    /// nobody can sign in.
    pub password: Option<String>,
    /// When it was made, to the microsecond.
    pub created: SystemTime,
    /// When its password was last changed, to the microsecond.
    pub changed: SystemTime,
    /// Whether its user may not sign in.
    pub disabled: bool,
    /// Whether its password is being changed at this moment, so that nobody signs in.
    pub is_changing: bool,
}

/// Without the hash.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("created", &self.created)
            .field("changed", &self.changed)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// A new account.
    #[must_use]
    pub fn new(password: Option<String>, now: SystemTime) -> Self {
        Self {
            password,
            created: now,
            changed: now,
            disabled: false,
            is_changing: false,
        }
    }

    /// Its user, whose password was right for it in this state.
    pub(crate) fn verified(&self, user: &UserName) -> Verified {
        Verified::new(user.clone()).with_stamp(self.stamp())
    }

    /// A mark of this account in this state: it changes with the password, and no other account of the same name has it.
    pub(crate) fn stamp(&self) -> String {
        format!(
            "{}-{}",
            unix_micros(self.created),
            unix_micros(self.changed)
        )
    }
}

/// The outcome of completing a change of password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPassword {
    /// The password is the new one.
    Done,
    /// Another change has taken this one's place, or it took longer than a minute; nothing was written.
    Superseded,
    /// There is no such account any more.
    NoAccount,
}

/// A link by which its owner chooses a password, once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invitation {
    /// What it is for.
    pub purpose: Purpose,
    /// The account that it names; `None`: its owner chooses a name, too, which only the first account's link allows.
    pub user: Option<UserName>,
    /// The state of the account that it is for: it is worth nothing once the password has been changed, nor for a later account
    /// of the same name.
    pub stamp: Option<String>,
}

impl Invitation {
    /// One that names its account.
    #[must_use]
    pub fn new(purpose: Purpose, user: Option<UserName>) -> Self {
        Self {
            purpose,
            user,
            stamp: None,
        }
    }

    /// For an account in this state.
    #[must_use]
    pub fn with_stamp(self, stamp: impl Into<String>) -> Self {
        Self {
            stamp: Some(stamp.into()),
            ..self
        }
    }
}

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// To make the first account of all; worth nothing once there is one.
    FirstAccount,
    /// To choose the first password of an account that an operator has made.
    NewAccount,
    /// To choose a new password for an account that exists.
    Reset,
}

impl Purpose {
    /// Its name, as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstAccount => "first_account",
            Self::NewAccount => "new_account",
            Self::Reset => "reset",
        }
    }

    /// Reads it back; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::FirstAccount, Self::NewAccount, Self::Reset]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }
}
