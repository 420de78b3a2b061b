//! Links by which somebody chooses a password, once.

use std::time::Duration;

use super::{Account, AccountError, Accounts, Changed, Invitation, Purpose};
use crate::client::Client;
use crate::sign_in::{Digest, Password, Token, Verified};
use crate::user_name::UserName;

/// How long an invitation can be used.
pub const INVITATION_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one can be used again that was taken and then not needed, because the store failed.
const RETURNED_TTL: Duration = Duration::from_secs(10 * 60);

impl Accounts {
    /// An invitation for a user who has no password yet; makes the account if there is none.
    ///
    /// # Errors
    ///
    /// There is no invitation. [`AccountError::NameTaken`]: the account has a password.
    pub async fn invite(&self, user: &UserName) -> Result<Token, AccountError> {
        let bounded = self.with_deadline();
        let account = match bounded.account(user).await? {
            Some(account) => account,
            None => bounded.add_without_password(user).await?,
        };
        if account.password.is_some() {
            return Err(AccountError::NameTaken);
        }
        bounded.keep(Purpose::NewAccount, user, &account).await
    }

    /// An invitation to choose a new password.
    ///
    /// # Errors
    ///
    /// There is no invitation.
    pub async fn reset(&self, user: &UserName) -> Result<Token, AccountError> {
        let bounded = self.with_deadline();
        let account = bounded.account(user).await?;
        let account = account.ok_or(AccountError::NoAccount)?;
        bounded.keep(Purpose::Reset, user, &account).await
    }

    /// An invitation to make the first account, which is worth nothing once there is one.
    ///
    /// # Errors
    ///
    /// There is no invitation.
    pub async fn invite_first(&self) -> Result<Token, AccountError> {
        let bounded = self.with_deadline();
        let token = Token::generate();
        let invitation = Invitation::new(Purpose::FirstAccount, None);
        // The shared one stays taken where somebody is making an account at this moment.
        for digest in [first_account(), token.digest()] {
            let invite = bounded.store.invite(&digest, &invitation, INVITATION_TTL);
            bounded.sessions.until_deadline(invite).await?;
        }
        Ok(token)
    }

    /// Reads an invitation; `None` if it was used, has expired, or is worth nothing any more. Uses nothing up.
    ///
    /// # Errors
    ///
    /// It may be valid.
    pub async fn invitation(&self, token: &Token) -> Result<Option<Invitation>, AccountError> {
        let bounded = self.with_deadline();
        let digest = token.digest();
        let read = bounded.store.invitation(&digest);
        let Some(invitation) = bounded.sessions.until_deadline(read).await? else {
            return Ok(None);
        };
        Ok(bounded.is_worth(&invitation).await?.then_some(invitation))
    }

    /// Accepts an invitation: sets the password of its account, or makes the first account under `name`.
    ///
    /// # Errors
    ///
    /// The password is not set; after an error of the store it may be. The invitation is used up only where
    /// the password was good.
    pub async fn accept(
        &self,
        token: &Token,
        name: Option<&UserName>,
        password: &Password,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        let invitation = self.invitation(token).await?;
        let invitation = invitation.ok_or(AccountError::NoInvitation)?;
        let user = invitation.user.as_ref().or(name);
        let user = user.ok_or(AccountError::NameMissing)?;
        let hash = self.hash(user, password).await?;
        let bounded = self.with_deadline();
        let accepted = match bounded.take(&token.digest()).await {
            Ok(()) => bounded.use_up(&invitation, user, hash, by).await,
            Err(error) => Err(error),
        };
        // If it was done after all, the invitation is worth nothing: the account's stamp is another one, or there is one.
        if accepted.as_ref().is_err_and(is_of_store) {
            self.give_back(&token.digest(), &invitation).await;
        }
        accepted
    }

    /// It has been taken.
    async fn use_up(
        &self,
        invitation: &Invitation,
        user: &UserName,
        hash: String,
        by: &Client,
    ) -> Result<Changed, AccountError> {
        match invitation.purpose {
            Purpose::FirstAccount => {
                let made = self.make_first(user, hash).await;
                if made.as_ref().is_err_and(is_of_store) {
                    self.give_back(&first_account(), invitation).await;
                }
                made
            }
            Purpose::NewAccount | Purpose::Reset => {
                let stamp = invitation.stamp.clone().unwrap_or_default();
                let present = Verified::new(user.clone()).with_stamp(stamp);
                self.replace(&present, &hash, by).await
            }
        }
    }

    /// All invitations to make the first account share a second one, which only one of them can take; so of two that are accepted
    /// at once under different names one makes an account.
    async fn make_first(&self, user: &UserName, hash: String) -> Result<Changed, AccountError> {
        self.take(&first_account()).await?;
        // What was true before may not be any more.
        if !self.is_empty().await? {
            return Err(AccountError::NoInvitation);
        }
        let account = Account::new(Some(hash), self.now());
        let add = self.store.add(user, &account);
        if !self.sessions.until_deadline(add).await? {
            return Err(AccountError::NoInvitation);
        }
        Ok(Changed {
            verified: account.verified(user),
            ended: Vec::new(),
        })
    }

    /// Whether an invitation can still be accepted.
    async fn is_worth(&self, invitation: &Invitation) -> Result<bool, AccountError> {
        let Some(user) = &invitation.user else {
            return Ok(self.is_empty().await?);
        };
        Ok(self.account(user).await?.is_some_and(|account| {
            let same = invitation.stamp == Some(account.stamp());
            same && !account.disabled
        }))
    }

    async fn keep(
        &self,
        purpose: Purpose,
        user: &UserName,
        account: &Account,
    ) -> Result<Token, AccountError> {
        let token = Token::generate();
        let digest = token.digest();
        let invitation = Invitation::new(purpose, Some(user.clone())).with_stamp(account.stamp());
        let invite = self.store.invite(&digest, &invitation, INVITATION_TTL);
        self.sessions.until_deadline(invite).await?;
        Ok(token)
    }

    /// Of many that try at once one gets it.
    async fn take(&self, digest: &Digest) -> Result<(), AccountError> {
        let take = self.store.take_invitation(digest);
        let taken = self.sessions.until_deadline(take).await?;
        taken.map(drop).ok_or(AccountError::NoInvitation)
    }

    /// It was taken for nothing. With time of its own: the store's failure may have taken all there was.
    async fn give_back(&self, digest: &Digest, invitation: &Invitation) {
        let Self {
            store, sessions, ..
        } = self.with_deadline();
        let invite = store.give_back(digest, invitation, RETURNED_TTL);
        if let Err(error) = sessions.until_deadline(invite).await {
            tracing::warn!(%error, "an invitation was used up for nothing");
        }
    }

    pub(super) async fn add_without_password(
        &self,
        user: &UserName,
    ) -> Result<Account, AccountError> {
        let account = Account::new(None, self.now());
        let add = self.store.add(user, &account);
        if !self.sessions.until_deadline(add).await? {
            return Err(AccountError::NameTaken);
        }
        Ok(account)
    }
}

/// Whether it is no answer to what was asked, and may be tried again.
fn is_of_store(error: &AccountError) -> bool {
    matches!(
        error,
        AccountError::Store(_) | AccountError::NotAllEnded { .. }
    )
}

/// What the invitations to make the first account share.
fn first_account() -> Digest {
    Digest::of("innkeeper: the first account")
}
