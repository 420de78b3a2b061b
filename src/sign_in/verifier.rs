//! Throttle, then check.

use std::sync::Arc;
use std::time::Duration;

use super::throttle::Counters;
use super::{
    Authenticator, AuthenticatorError, Credentials, SignInStore, Throttle, Token, Verified,
    VerifyError,
};
use crate::client::Client;
use crate::session::{Sessions, StoreError};
use crate::user_name::UserName;

/// How long a browser is remembered after it has signed in.
pub(crate) const DEVICE_TTL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Verifies users: counts the attempt, asks the [`Authenticator`], and remembers the browser.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    authenticator: Arc<dyn Authenticator>,
    store: Arc<dyn SignInStore>,
    throttle: Throttle,
    /// Their store keeps the counts too, and is waited for no longer.
    sessions: Sessions,
}

/// Whether the browser has signed in as this user before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Before,
    FirstTime,
}

impl Verifier {
    pub(crate) fn new(
        authenticator: Arc<dyn Authenticator>,
        store: Arc<dyn SignInStore>,
        sessions: Sessions,
    ) -> Self {
        Self {
            sessions,
            authenticator,
            throttle: Throttle::new(Arc::clone(&store)),
            store,
        }
    }

    pub(crate) fn needs_password(&self) -> bool {
        self.authenticator.needs_password()
    }

    /// `devices`: what the browser's cookie `known_device` holds.
    ///
    /// What is asked of the store before the password is looked at has a request's time in all.
    pub(crate) async fn verify(
        &self,
        credentials: &Credentials<'_>,
        devices: &[Token],
    ) -> Result<(Verified, Known), VerifyError> {
        if !self.needs_password() {
            let verified = self.authenticator.authenticate(credentials).await?;
            let wrong = || VerifyError::Wrong { account: None };
            return Ok((verified.ok_or_else(wrong)?, Known::Before));
        }
        let count = self.count(credentials, devices);
        let (account, known, counters) = self.sessions.until_deadline(count).await?;
        match self.authenticator.authenticate(credentials).await {
            Ok(Some(verified)) => {
                let succeeded = self.throttle.succeeded(&counters);
                if let Err(error) = self.sessions.until_deadline(succeeded).await {
                    tracing::warn!(%error, "a sign-in that succeeded may stay counted as a failed one");
                }
                Ok((verified, known))
            }
            // By default each text is an account's name, and people type passwords there.
            Ok(None) if !self.authenticator.tells_accounts() => {
                Err(VerifyError::Wrong { account: None })
            }
            Ok(None) => Err(VerifyError::Wrong { account }),
            Err(error) => {
                self.give_back(&counters).await;
                Err(error.into())
            }
        }
    }

    /// Also asked after the session is stored: see [`Authenticator::still_holds`].
    pub(crate) async fn still_holds(
        &self,
        verified: &Verified,
    ) -> Result<bool, AuthenticatorError> {
        self.authenticator.still_holds(verified).await
    }

    /// Counts an attempt that has nothing to do with an account: a name that is taken, say.
    pub(crate) async fn count_source(&self, client: &Client) -> Result<(), VerifyError> {
        let count = self.throttle.count_source(client, None);
        self.sessions.until_deadline(count).await.map(drop)
    }

    /// Remembers the browser for a year from now, and returns the token that its cookie holds for this account: the one by which
    /// it is known already, or a new one.
    ///
    /// A token that is known to another account only, or to none, is never taken over: somebody else may have put it there,
    /// who knows it.
    pub(crate) async fn remember(
        &self,
        user: &UserName,
        devices: &[Token],
    ) -> Result<Token, AuthenticatorError> {
        let known = self.known_device(user, devices).await?;
        let token = known.cloned().unwrap_or_else(Token::generate);
        let digest = token.digest();
        self.store
            .remember_device(&digest, user, DEVICE_TTL)
            .await?;
        Ok(token)
    }

    /// By which of its tokens a browser is known to have signed in as `user` before.
    async fn known_device<'t>(
        &self,
        user: &UserName,
        devices: &'t [Token],
    ) -> Result<Option<&'t Token>, StoreError> {
        for device in devices {
            if self.store.knows_device(&device.digest(), user).await? {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }

    /// Finds the account, and counts the attempt at it.
    async fn count(
        &self,
        credentials: &Credentials<'_>,
        devices: &[Token],
    ) -> Result<(Option<UserName>, Known, Counters), VerifyError> {
        let account = self.authenticator.account(credentials.user).await?;
        // Also of a name that is no account: it must take as long.
        let asked = account.as_ref().unwrap_or(credentials.user);
        let known = self.known_device(asked, devices).await?;
        let known = known.filter(|_| account.is_some()).map(Token::digest);
        let counters = self
            .throttle
            .count(account.as_ref(), credentials.client, known.as_ref())
            .await?;
        let known = known.map_or(Known::FirstTime, |_| Known::Before);
        Ok((account, known, counters))
    }

    async fn give_back(&self, counters: &Counters) {
        let give_back = self.throttle.not_judged(counters);
        if let Err(error) = self.sessions.until_deadline(give_back).await {
            tracing::warn!(%error, "an attempt that was not judged stays counted");
        }
    }
}
