//! `impl AccountStore for RedisStore`: a hash an account, which never expires, and a hash an invitation, which does.

mod record;
mod scan;
mod scripts;

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, Pipeline, Value};

use self::record::{account_of, invitation_of, timestamp};
use crate::account::{Account, AccountStore, Invitation, SetPassword};
use crate::session::StoreError;
use crate::sign_in::{Digest, Token};
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::{account_key, invitation_key, seconds};
use crate::store::redis::sessions::index::eval;
use crate::store::redis::sessions::store::RedisStore;
use crate::user_name::UserName;

/// How long a change of password may take.
const CHANGE_TTL: Duration = Duration::from_secs(60);
/// How long an invitation that was taken is kept, for the one who took it and whose reply was lost.
const TAKEN_TTL: Duration = Duration::from_secs(60);

/// Calls have a timeout of their own, each command that of a request.
#[async_trait]
impl AccountStore for RedisStore {
    async fn account(&self, user: &UserName) -> Result<Option<Account>, StoreError> {
        let mut commands = Pipeline::with_capacity(2);
        commands.hgetall(account_key(user)).cmd("TIME");
        let mut answers = self
            .client
            .with_timeout(self.client.send(&commands))
            .await?;
        let (time,) = read(answers.split_off(1))?;
        account_of(answers, time)
    }

    async fn add(&self, user: &UserName, account: &Account) -> Result<bool, StoreError> {
        let mut add = eval(scripts::ADD, &[account_key(user)]);
        add.arg(timestamp(account.created))
            .arg(timestamp(account.changed))
            .arg(account.password.as_deref().unwrap_or_default())
            .arg(u8::from(account.disabled));
        self.ask(add).await
    }

    async fn begin_change(&self, user: &UserName, change: &Digest) -> Result<bool, StoreError> {
        let mut begin = eval(scripts::BEGIN_CHANGE, &[account_key(user)]);
        begin.arg(change.to_string()).arg(CHANGE_TTL.as_secs());
        self.ask(begin).await
    }

    async fn cancel_change(&self, user: &UserName, change: &Digest) -> Result<(), StoreError> {
        let mut cancel = eval(scripts::CANCEL_CHANGE, &[account_key(user)]);
        cancel.arg(change.to_string());
        self.ask(cancel).await
    }

    async fn set_password(
        &self,
        user: &UserName,
        change: &Digest,
        password: &str,
        changed: SystemTime,
    ) -> Result<SetPassword, StoreError> {
        let mut set = eval(scripts::SET_PASSWORD, &[account_key(user)]);
        set.arg(change.to_string())
            .arg(password)
            .arg(timestamp(changed));
        Ok(match self.ask(set).await? {
            0 => SetPassword::NoAccount,
            1_i64 => SetPassword::Done,
            _ => SetPassword::Superseded,
        })
    }

    async fn rehash(&self, user: &UserName, old: &str, new: &str) -> Result<(), StoreError> {
        let mut rehash = eval(scripts::REHASH, &[account_key(user)]);
        rehash.arg(old).arg(new);
        self.ask(rehash).await
    }

    async fn set_disabled(&self, user: &UserName, disabled: bool) -> Result<bool, StoreError> {
        let mut set = eval(scripts::SET_DISABLED, &[account_key(user)]);
        set.arg(u8::from(disabled));
        self.ask(set).await
    }

    /// (If the reply is lost, the second answer is `false`.)
    async fn remove(&self, user: &UserName, created: SystemTime) -> Result<bool, StoreError> {
        let mut remove = eval(scripts::REMOVE, &[account_key(user)]);
        remove.arg(timestamp(created));
        self.ask(remove).await
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(UserName, Account) + Send),
    ) -> Result<(), StoreError> {
        let mut all = |user, account| {
            found(user, account);
            ControlFlow::Continue(())
        };
        self.scan_accounts(&mut all).await
    }

    /// Looks no further than to the first account.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        let mut is_empty = true;
        let mut first = |_, _| {
            is_empty = false;
            ControlFlow::Break(())
        };
        self.scan_accounts(&mut first).await?;
        Ok(is_empty)
    }

    async fn invite(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.keep_invitation(token, invitation, ttl, false).await
    }

    async fn give_back(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.keep_invitation(token, invitation, ttl, true).await
    }

    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        let found: Value = self.ask(Cmd::hgetall(invitation_key(token))).await?;
        invitation_of(found, None)
    }

    /// The invitation is marked with who took it, and not deleted at once: a command whose reply was lost is sent again, and
    /// must find that this very call has taken it.
    async fn take_invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        let taker = Token::generate();
        let mut take = eval(scripts::TAKE_INVITATION, &[invitation_key(token)]);
        take.arg(taker.expose()).arg(TAKEN_TTL.as_secs());
        let found: Value = self.ask(take).await?;
        invitation_of(found, Some(taker.expose()))
    }
}

impl RedisStore {
    async fn keep_invitation(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
        was_taken: bool,
    ) -> Result<(), StoreError> {
        let mut invite = eval(scripts::INVITE, &[invitation_key(token)]);
        invite
            .arg(seconds(ttl))
            .arg(invitation.purpose.as_str())
            .arg(invitation.user.as_ref().map_or("", UserName::as_str))
            .arg(invitation.stamp.as_deref().unwrap_or_default())
            .arg(u8::from(was_taken));
        self.ask(invite).await
    }

    async fn ask<T: deadpool_redis::redis::FromRedisValue>(
        &self,
        command: Cmd,
    ) -> Result<T, StoreError> {
        self.client
            .with_timeout(self.client.query_one(command))
            .await
    }
}
