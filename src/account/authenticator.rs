//! Sign-in with a password.

use std::sync::Arc;

use async_trait::async_trait;

use super::hashing::{Busy, Check, HashProblem, StoredHash};
use super::password::Prepared;
use super::{Account, Accounts};
use crate::sign_in::{Authenticator, AuthenticatorError, Credentials, Password, Verified};
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

    /// Verifies a password against an account, or against none, in the same time.
    async fn verify(
        &self,
        user: &UserName,
        account: Option<&Account>,
        password: &Password,
    ) -> Result<Check, Busy> {
        let text = account.and_then(|account| account.password.as_deref());
        let stored = text.and_then(|text| {
            // The name is an account's, so it may be logged.
            let told = |problem: &HashProblem| {
                let error = problem.text();
                tracing::error!(%user, error, "an account's stored hash is unusable");
            };
            StoredHash::parse(text).inspect_err(told).ok()
        });
        let prepared = Prepared::new(password).ok();
        self.hasher.verify(stored, prepared).await
    }

    /// Replaces an imported hash. Without success the next sign-in tries again.
    async fn rehash(&self, user: &UserName, old: &str, new: &str) {
        let rehash = self.store.rehash(user, old, new);
        if let Err(error) = self.sessions.until_deadline(rehash).await {
            tracing::warn!(%user, %error, "an imported password was not hashed anew");
        }
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
