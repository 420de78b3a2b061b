//! Sign-in with a password.

use std::sync::Arc;

use async_trait::async_trait;

use super::Accounts;
use super::hashing::Check;
use crate::sign_in::{Authenticator, AuthenticatorError, Credentials, Verified};
use crate::user_name::UserName;

/// Checks passwords against the accounts.
#[derive(Clone, Debug)]
struct PasswordAuthenticator(Accounts);

impl Accounts {
    /// The check of names and passwords against these accounts.
    #[must_use]
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        Arc::new(PasswordAuthenticator(self.clone()))
    }
}

#[async_trait]
impl Authenticator for PasswordAuthenticator {
    /// The name itself: names compare exactly. An account that is disabled is one.
    async fn account(&self, typed: &UserName) -> Result<Option<UserName>, AuthenticatorError> {
        let account = self.0.account(typed).await?;
        Ok(account.map(|_| typed.clone()))
    }

    /// The same is read and computed for every outcome.
    async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Verified>, AuthenticatorError> {
        let user = credentials.user;
        let account = self.0.account(user).await?;
        let check = self.0.verify(user, account.as_ref(), credentials.password);
        let (Check::Right { rehashed }, Some(account)) = (check.await?, account) else {
            return Ok(None);
        };
        if account.disabled {
            return Ok(None);
        }
        if let (Some(old), Some(new)) = (&account.password, rehashed) {
            self.0.rehash(user, old, &new).await;
        }
        Ok(Some(account.verified(user)))
    }

    async fn still_holds(&self, verified: &Verified) -> Result<bool, AuthenticatorError> {
        let account = self.0.account(verified.user()).await?;
        Ok(account.is_some_and(|account| {
            let same = verified.stamp() == Some(account.stamp().as_str());
            same && !account.disabled && !account.is_changing
        }))
    }
}
