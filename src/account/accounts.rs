//! Accounts: how they are made, changed, disabled and removed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::hashing::Hasher;
use super::password::Prepared;
use super::{Account, AccountError, AccountStore, PasswordPolicy, SetPassword};
use crate::client::Client;
use crate::clock::{from_unix_micros, unix_micros};
use crate::session::{EndReason, Selection, SessionHandle, Sessions, StoreError};
use crate::sign_in::{Digest, Password, Token, Verified};
use crate::user_name::UserName;

/// Makes, changes, disables and removes accounts. Cheap to clone; clones share the store and the threads that hash.
///
/// Whatever ends somebody's right to be signed in ends their sessions too, in such an order that none survives, whatever runs
/// at the same time. A sign-in stores its session and then asks whether its check still holds
/// ([`Authenticator::still_holds`](crate::Authenticator::still_holds)); so each of the steps here first changes the account, so that no later question is
/// answered with yes, and then ends the sessions, among which is every one whose question was answered before.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub(super) store: Arc<dyn AccountStore>,
    /// Also bounds the calls of `store`, which keeps its records where the sessions are.
    pub(super) sessions: Sessions,
    pub(super) hasher: Hasher,
    policy: PasswordPolicy,
}

/// An account whose password has just been set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Changed {
    /// Its user, who may be signed in.
    pub verified: Verified,
    /// The user's sessions that were ended.
    pub ended: Vec<SessionHandle>,
}

/// A password that its user may choose.
#[derive(Debug)]
pub(crate) struct ChosenPassword(Prepared);

impl Accounts {
    /// Binds a store to the sessions that are kept with it.
    #[must_use]
    pub fn new(
        store: Arc<dyn AccountStore>,
        sessions: Sessions,
        hasher: Hasher,
        policy: PasswordPolicy,
    ) -> Self {
        Self {
            store,
            sessions,
            hasher,
            policy,
        }
    }

    /// A clone for a few calls of the store, which all together have the time that a request may spend on it. Taken anew after a
    /// password has been hashed.
    pub(super) fn with_deadline(&self) -> Self {
        Self {
            sessions: self.sessions.with_deadline(),
            ..self.clone()
        }
    }

    /// Whether nobody has an account.
    ///
    /// # Errors
    ///
    /// Somebody may have one.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        self.sessions.until_deadline(self.store.is_empty()).await
    }

    /// Checks a password that is to be set, on the threads that hash: it takes long enough to keep others waiting.
    pub(crate) async fn check(
        &self,
        user: &UserName,
        password: &Password,
    ) -> Result<ChosenPassword, AccountError> {
        let (policy, user, password) = (self.policy.clone(), user.clone(), password.clone());
        let check = self
            .hasher
            .run(false, move |_| policy.check(&user, &password));
        Ok(ChosenPassword(check.await??))
    }

    /// Makes an account for somebody who has chosen its name and password.
    ///
    /// # Errors
    ///
    /// It was not made; after an error of the store it may have been.
    pub async fn sign_up(
        &self,
        user: &UserName,
        password: &Password,
    ) -> Result<Verified, AccountError> {
        let hash = self.hash(user, password).await?;
        let account = Account::new(Some(hash), self.now());
        let add = self.store.add(user, &account);
        if !self.sessions.until_deadline(add).await? {
            return Err(AccountError::NameTaken);
        }
        Ok(account.verified(user))
    }

    /// Changes the password of a user whose present one was right a moment ago, and ends all the user's sessions.
    ///
    /// # Errors
    ///
    /// The password is the old one, and sessions may have ended; after an error of the store it may be the new one.
    pub async fn change_password(
        &self,
        present: &Verified,
        password: &Password,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        let chosen = self.check(present.user(), password).await?;
        self.change_to(present, chosen, by).await
    }

    /// The same with a password that has been checked for this user.
    pub(crate) async fn change_to(
        &self,
        present: &Verified,
        chosen: ChosenPassword,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        let hash = self.hasher.hash(chosen.0).await?;
        let bounded = self.with_deadline();
        bounded.replace(present, &hash, by).await
    }

    /// Replaces the password of an account that is still as `present` says.
    pub(super) async fn replace(
        &self,
        present: &Verified,
        hash: &str,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        let user = present.user();
        let change = Token::generate().digest();
        let replaced = self.begin(present, &change, hash, by).await;
        if replaced.is_err() {
            // With time of its own, since the rest of it may have taken all there was.
            let Self {
                store, sessions, ..
            } = self.with_deadline();
            let cancel = store.cancel_change(user, &change);
            // Does nothing if the password was written after all; and after a minute it is given up by itself.
            let _ignored = sessions.until_deadline(cancel).await;
        }
        replaced
    }

    async fn begin(
        &self,
        present: &Verified,
        change: &Digest,
        hash: &str,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        let begin = self.store.begin_change(present.user(), change);
        if !self.sessions.until_deadline(begin).await? {
            return Err(AccountError::NoAccount);
        }
        self.complete(present, change, hash, by).await
    }

    /// The change has begun: from here on no sign-in succeeds.
    async fn complete(
        &self,
        present: &Verified,
        change: &Digest,
        hash: &str,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        let user = present.user();
        let account = self.account(user).await?;
        let account = account.ok_or(AccountError::NoAccount)?;
        // Another change came first: the present password, or the invitation, is not what was checked.
        if present.stamp() != Some(account.stamp().as_str()) {
            return Err(AccountError::Superseded);
        }
        let ended = self
            .end_sessions(user, EndReason::PasswordChanged, by)
            .await?;
        // Later than the last change, so that the account's stamp is another one.
        let changed = self.now().max(account.changed + Duration::from_micros(1));
        let set = self.store.set_password(user, change, hash, changed);
        match self.sessions.until_deadline(set).await? {
            SetPassword::Done => {}
            SetPassword::Superseded => return Err(AccountError::Superseded),
            SetPassword::NoAccount => return Err(AccountError::NoAccount),
        }
        let account = Account { changed, ..account };
        Ok(Changed {
            verified: account.verified(user),
            ended,
        })
    }

    /// Ends all sessions of a user whose account lets no sign-in succeed any more.
    pub(super) async fn end_sessions(
        &self,
        user: &UserName,
        reason: EndReason,
        by: &Client,
    ) -> Result<Vec<SessionHandle>, AccountError> {
        let mut ended = Vec::new();
        loop {
            let end = self
                .sessions
                .end_of_user(user.as_str(), Selection::All, reason, by);
            let not_all = |ended: &[_], error: StoreError| AccountError::NotAllEnded {
                ended: ended.len(),
                error: error.to_string(),
            };
            let outcome = end.await.map_err(|error| not_all(&ended, error))?;
            let found_none = outcome.ended.is_empty();
            ended.extend(outcome.ended);
            if let Some(error) = outcome.failure {
                return Err(not_all(&ended, error));
            }
            // Once more where there were any: a sign-in that will find its check void may have stored one meanwhile.
            if found_none {
                return Ok(ended);
            }
        }
    }

    pub(super) async fn account(&self, user: &UserName) -> Result<Option<Account>, StoreError> {
        self.sessions.until_deadline(self.store.account(user)).await
    }

    /// Checks and hashes a password that is to be set.
    pub(super) async fn hash(
        &self,
        user: &UserName,
        password: &Password,
    ) -> Result<String, AccountError> {
        let chosen = self.check(user, password).await?;
        Ok(self.hasher.hash(chosen.0).await?)
    }

    /// To the microsecond, as it is stored.
    pub(super) fn now(&self) -> SystemTime {
        from_unix_micros(unix_micros(self.sessions.clock().now()))
    }
}
