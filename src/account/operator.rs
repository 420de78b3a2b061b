//! What operators do with accounts.

use super::{Account, AccountError, Accounts};
use crate::client::Client;
use crate::session::{EndReason, StoreError};
use crate::sign_in::Password;
use crate::user_name::UserName;

impl Accounts {
    /// Makes an account; without a password nobody can sign in to it yet.
    ///
    /// # Errors
    ///
    /// It was not made; after an error of the store it may have been.
    pub async fn add(
        &self,
        user: &UserName,
        password: Option<&Password>,
    ) -> Result<(), AccountError> {
        match password {
            Some(password) => self.sign_up(user, password).await.map(drop),
            None => self.add_without_password(user).await.map(drop),
        }
    }

    /// Disables an account and ends its sessions, or enables it. Returns how many sessions have ended.
    ///
    /// # Errors
    ///
    /// It may have been done, and sessions may be alive: repeat it.
    pub async fn set_disabled(
        &self,
        user: &UserName,
        disabled: bool,
    ) -> Result<usize, AccountError> {
        let set = self.store.set_disabled(user, disabled);
        if !self.sessions.until_deadline(set).await? {
            return Err(AccountError::NoAccount);
        }
        if !disabled {
            return Ok(0);
        }
        self.end_all(user, EndReason::Disabled).await
    }

    /// Ends an account's sessions and removes it. Returns how many sessions have ended. If it has been removed already, sessions
    /// that it has left end all the same.
    ///
    /// # Errors
    ///
    /// The account may be there, then disabled, and sessions may be alive: repeat it. [`AccountError::NoAccount`]: there was
    /// neither an account nor a session.
    pub async fn remove(&self, user: &UserName) -> Result<usize, AccountError> {
        let disable = self.store.set_disabled(user, true);
        self.sessions.until_deadline(disable).await?;
        let account = self.account(user).await?;
        let mut ended = self.end_all(user, EndReason::Removed).await?;
        if let Some(account) = account {
            let remove = self.store.remove(user, account.created);
            self.sessions.until_deadline(remove).await?;
            // Another operator may have enabled it meanwhile, so that a sign-in succeeded; from here on none does.
            let by = Client::default();
            let late = self.end_sessions(user, EndReason::Removed, &by).await?;
            ended += late.len();
        } else if ended == 0 {
            return Err(AccountError::NoAccount);
        }
        Ok(ended)
    }

    /// Passes every account to `found`, in any order.
    ///
    /// # Errors
    ///
    /// `found` has not seen all of them.
    pub async fn list(
        &self,
        found: &mut (dyn FnMut(UserName, Account) + Send),
    ) -> Result<(), StoreError> {
        self.store.list(found).await
    }

    /// With those that the user's list has lost, which only a look at every session finds.
    async fn end_all(&self, user: &UserName, reason: EndReason) -> Result<usize, AccountError> {
        let name = user.as_str().to_owned();
        self.sessions.restore_lists(&[name]).await?;
        let ended = self.end_sessions(user, reason, &Client::default()).await?;
        Ok(ended.len())
    }
}
