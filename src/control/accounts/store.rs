//! A running server's accounts as an [`AccountStore`].

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::wire::{AccountReply, AccountRequest, Name, Sha256};
use crate::account::{Account, AccountStore, Invitation, SetPassword};
use crate::control::client::RemoteStore;
use crate::control::wire::{Reply, Request};
use crate::session::StoreError;
use crate::sign_in::Digest;
use crate::user_name::UserName;

impl RemoteStore {
    async fn ask_accounts(
        &self,
        request: AccountRequest,
        found: &mut (dyn FnMut(AccountReply) + Send),
    ) -> Result<(), StoreError> {
        self.ask(&Request::Account(request), &mut |reply| {
            if let Reply::Account(reply) = reply {
                found(reply);
            }
        })
        .await
    }

    /// The last reply; `None` if there is none.
    async fn one(&self, request: AccountRequest) -> Result<Option<AccountReply>, StoreError> {
        let mut last = None;
        self.ask_accounts(request, &mut |reply| last = Some(reply))
            .await?;
        Ok(last)
    }

    async fn was_done(&self, request: AccountRequest) -> Result<bool, StoreError> {
        match self.one(request).await? {
            Some(AccountReply::Done(done)) => Ok(done),
            _ => Err(not_understood()),
        }
    }

    async fn read_invitation(
        &self,
        request: AccountRequest,
    ) -> Result<Option<Invitation>, StoreError> {
        match self.one(request).await? {
            Some(AccountReply::Invitation(found)) => {
                found.read().map(Some).ok_or_else(not_understood)
            }
            None => Ok(None),
            Some(_) => Err(not_understood()),
        }
    }
}

fn not_understood() -> StoreError {
    StoreError::Failed("the running server's answer is not understood".to_owned())
}

fn name(user: &UserName) -> Name {
    Name(user.clone())
}

#[async_trait]
impl AccountStore for RemoteStore {
    async fn account(&self, user: &UserName) -> Result<Option<Account>, StoreError> {
        let user = name(user);
        match self.one(AccountRequest::Account { user }).await? {
            Some(AccountReply::Account { account, .. }) => Ok(Some(account)),
            None => Ok(None),
            Some(_) => Err(not_understood()),
        }
    }

    async fn add(&self, user: &UserName, account: &Account) -> Result<bool, StoreError> {
        let (user, account) = (name(user), account.clone());
        self.was_done(AccountRequest::Add { user, account }).await
    }

    async fn begin_change(&self, user: &UserName, change: &Digest) -> Result<bool, StoreError> {
        let (user, change) = (name(user), Sha256(*change));
        self.was_done(AccountRequest::BeginChange { user, change })
            .await
    }

    async fn cancel_change(&self, user: &UserName, change: &Digest) -> Result<(), StoreError> {
        let (user, change) = (name(user), Sha256(*change));
        self.one(AccountRequest::CancelChange { user, change })
            .await
            .map(drop)
    }

    async fn set_password(
        &self,
        user: &UserName,
        change: &Digest,
        password: &str,
        changed: SystemTime,
    ) -> Result<SetPassword, StoreError> {
        let request = AccountRequest::SetPassword {
            user: name(user),
            change: Sha256(*change),
            password: password.to_owned(),
            changed,
        };
        match self.one(request).await? {
            Some(AccountReply::SetPassword(outcome)) => Ok(outcome),
            _ => Err(not_understood()),
        }
    }

    async fn rehash(&self, user: &UserName, old: &str, new: &str) -> Result<(), StoreError> {
        let request = AccountRequest::Rehash {
            user: name(user),
            old: old.to_owned(),
            new: new.to_owned(),
        };
        self.one(request).await.map(drop)
    }

    async fn set_disabled(&self, user: &UserName, disabled: bool) -> Result<bool, StoreError> {
        let user = name(user);
        self.was_done(AccountRequest::SetDisabled { user, disabled })
            .await
    }

    async fn remove(&self, user: &UserName, created: SystemTime) -> Result<bool, StoreError> {
        let user = name(user);
        self.was_done(AccountRequest::Remove { user, created })
            .await
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(UserName, Account) + Send),
    ) -> Result<(), StoreError> {
        self.ask_accounts(AccountRequest::List, &mut |reply| {
            if let AccountReply::Account { user, account } = reply {
                found(user.0, account);
            }
        })
        .await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.was_done(AccountRequest::IsEmpty).await
    }

    async fn invite(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let request = AccountRequest::Invite {
            token: Sha256(*token),
            invitation: invitation.into(),
            ttl,
        };
        self.one(request).await.map(drop)
    }

    async fn give_back(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let request = AccountRequest::GiveBack {
            token: Sha256(*token),
            invitation: invitation.into(),
            ttl,
        };
        self.one(request).await.map(drop)
    }

    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        let token = Sha256(*token);
        self.read_invitation(AccountRequest::Invitation { token })
            .await
    }

    async fn take_invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        let token = Sha256(*token);
        self.read_invitation(AccountRequest::TakeInvitation { token })
            .await
    }
}
