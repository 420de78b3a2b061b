//! Throttle, then check.

use std::sync::Arc;
use std::time::Duration;

use super::throttle::Counters;
use super::{
    Authenticator, AuthenticatorError, Credentials, Digest, SignInStore, Throttle, Token, Verified,
    VerifyError,
};
use crate::client::Client;
use crate::user_name::UserName;

/// How long a browser is remembered after it has signed in.
pub(crate) const DEVICE_TTL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Verifies users: counts the attempt, asks the [`Authenticator`], and remembers the browser.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    authenticator: Arc<dyn Authenticator>,
    store: Arc<dyn SignInStore>,
    throttle: Throttle,
}

/// Whether the browser has signed in as this user before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Before,
    FirstTime,
}

impl Verifier {
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>, store: Arc<dyn SignInStore>) -> Self {
        Self {
            authenticator,
            throttle: Throttle::new(Arc::clone(&store)),
            store,
        }
    }

    pub(crate) fn needs_password(&self) -> bool {
        self.authenticator.needs_password()
    }

    /// `device`: the browser's cookie `known_device`.
    pub(crate) async fn verify(
        &self,
        credentials: &Credentials<'_>,
        device: Option<&Token>,
    ) -> Result<(Verified, Known), VerifyError> {
        if !self.needs_password() {
            let verified = self.authenticator.authenticate(credentials).await?;
            let wrong = || VerifyError::Wrong { account: None };
            return Ok((verified.ok_or_else(wrong)?, Known::Before));
        }
        let account = self.authenticator.account(credentials.user).await?;
        let known = self.known_device(account.as_ref(), device).await?;
        let counters = self
            .throttle
            .count(account.as_ref(), credentials.client, known.as_ref())
            .await?;
        match self.authenticator.authenticate(credentials).await {
            Ok(Some(verified)) => {
                if let Err(error) = self.throttle.succeeded(&counters).await {
                    tracing::warn!(%error, "a sign-in that succeeded may stay counted as a failed one");
                }
                let known = known.map_or(Known::FirstTime, |_| Known::Before);
                Ok((verified, known))
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
        self.throttle.count_source(client, None).await.map(drop)
    }

    /// Remembers the browser, and returns the cookie for it: the one that it has, or a new one.
    pub(crate) async fn remember(
        &self,
        user: &UserName,
        device: Option<&Token>,
    ) -> Result<Token, AuthenticatorError> {
        let token = device.cloned().unwrap_or_else(Token::generate);
        let digest = token.digest();
        self.store
            .remember_device(&digest, user, DEVICE_TTL)
            .await?;
        Ok(token)
    }

    /// The digest of the browser's cookie, if it has signed in to this account before.
    async fn known_device(
        &self,
        account: Option<&UserName>,
        device: Option<&Token>,
    ) -> Result<Option<Digest>, AuthenticatorError> {
        let (Some(account), Some(device)) = (account, device) else {
            return Ok(None);
        };
        let digest = device.digest();
        let known = self.store.knows_device(&digest, account).await?;
        Ok(known.then_some(digest))
    }

    async fn give_back(&self, counters: &Counters) {
        if let Err(error) = self.throttle.not_judged(counters).await {
            tracing::warn!(%error, "an attempt that was not judged stays counted");
        }
    }
}
