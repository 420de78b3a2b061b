//! The embedded store as an [`AccountStore`].

use std::ops::Bound;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use redb::ReadableTableMetadata;
use tokio::task::yield_now;

use crate::account::{Account, AccountStore, Invitation, SetPassword};
use crate::clock::unix_micros;
use crate::session::StoreError;
use crate::sign_in::Digest;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::changes::account_record::{AccountRecord, InvitationRecord};
use crate::store::embedded::database::schema::{ACCOUNTS, INVITATIONS, failed, unix_millis};
use crate::store::embedded::writer::Effect;
use crate::user_name::UserName;

/// How many accounts are read at a time, where all are.
const PAGE_SIZE: usize = 1000;

/// Calls set no deadline of their own: [`Accounts`](crate::account::Accounts) does, but for an operator's.
#[async_trait]
impl AccountStore for EmbeddedStore {
    async fn account(&self, user: &UserName) -> Result<Option<Account>, StoreError> {
        let now = unix_millis(self.clock.now());
        self.database.read(|snapshot| {
            let accounts = snapshot.transaction.open_table(ACCOUNTS).map_err(failed)?;
            let row = accounts.get(user.as_str()).map_err(failed)?;
            let record = row.map(|row| AccountRecord::from_bytes(row.value()));
            Ok(record.transpose()?.map(|record| record.account(now)))
        })
    }

    async fn add(&self, user: &UserName, account: &Account) -> Result<bool, StoreError> {
        let (user, account) = (user.clone(), account.clone());
        let add = self.writer.commit(Effect::Grows, move |tables| {
            tables.add_account(user.as_str(), &account)
        });
        add.await
    }

    async fn begin_change(&self, user: &UserName, change: &Digest) -> Result<bool, StoreError> {
        let (user, by) = (user.clone(), *change.as_bytes());
        let begin = self.writer.commit(Effect::Grows, move |tables| {
            let begun = tables.change_account(user.as_str(), |record, now| {
                record.begin_change(by, now);
                ((), true)
            });
            Ok(begun?.is_some())
        });
        begin.await
    }

    async fn cancel_change(&self, user: &UserName, change: &Digest) -> Result<(), StoreError> {
        let (user, by) = (user.clone(), *change.as_bytes());
        let cancel = self.writer.commit(Effect::Shrinks, move |tables| {
            let cancelled =
                tables.change_account(user.as_str(), |record, _| ((), record.cancel_change(&by)));
            cancelled.map(drop)
        });
        cancel.await
    }

    async fn set_password(
        &self,
        user: &UserName,
        change: &Digest,
        password: &str,
        changed: SystemTime,
    ) -> Result<SetPassword, StoreError> {
        let (user, by) = (user.clone(), *change.as_bytes());
        let (password, changed) = (password.to_owned(), unix_micros(changed));
        let set = self.writer.commit(Effect::Grows, move |tables| {
            tables.set_password(user.as_str(), &by, &password, changed)
        });
        set.await
    }

    async fn rehash(&self, user: &UserName, old: &str, new: &str) -> Result<(), StoreError> {
        let (user, old, new) = (user.clone(), old.to_owned(), new.to_owned());
        let rehash = self.writer.commit(Effect::Grows, move |tables| {
            let rehashed =
                tables.change_account(user.as_str(), |record, _| ((), record.rehash(&old, &new)));
            rehashed.map(drop)
        });
        rehash.await
    }

    /// Needs no room: an account can be disabled while the disk is full.
    async fn set_disabled(&self, user: &UserName, disabled: bool) -> Result<bool, StoreError> {
        let user = user.clone();
        let set = self.writer.commit(Effect::Shrinks, move |tables| {
            let set = tables.change_account(user.as_str(), |record, _| {
                record.set_disabled(disabled);
                ((), true)
            });
            Ok(set?.is_some())
        });
        set.await
    }

    async fn remove(&self, user: &UserName, created: SystemTime) -> Result<bool, StoreError> {
        let (user, created) = (user.clone(), unix_micros(created));
        let remove = self.writer.commit(Effect::Shrinks, move |tables| {
            tables.remove_account(user.as_str(), created)
        });
        remove.await
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(UserName, Account) + Send),
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        let mut page = self.accounts_after(None)?;
        while let Some((last, _)) = page.last() {
            let last = last.clone();
            for (name, account) in page {
                match (UserName::parse(&name), account) {
                    (Ok(user), Ok(account)) => found(user, account),
                    // One bad record must not hide the other accounts.
                    (_, Err(error)) => outcome = Err(error),
                    (Err(_), Ok(_)) => {}
                }
            }
            yield_now().await;
            page = self.accounts_after(Some(&last))?;
        }
        outcome
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.database.read(|snapshot| {
            let accounts = snapshot.transaction.open_table(ACCOUNTS).map_err(failed)?;
            accounts.is_empty().map_err(failed)
        })
    }

    async fn invite(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let token = *token.as_bytes();
        let record = InvitationRecord::new(invitation).to_bytes()?;
        let until = unix_millis(self.clock.now() + ttl);
        let invite = self.writer.commit(Effect::Grows, move |tables| {
            tables.invite(&token, until, &record)
        });
        invite.await
    }

    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        let now = unix_millis(self.clock.now());
        self.database.read(|snapshot| {
            let invitations = snapshot
                .transaction
                .open_table(INVITATIONS)
                .map_err(failed)?;
            let Some(row) = invitations.get(token.as_bytes()).map_err(failed)? else {
                return Ok(None);
            };
            let (until, bytes) = row.value();
            if now >= until {
                return Ok(None);
            }
            Ok(InvitationRecord::from_bytes(bytes)?.invitation())
        })
    }

    /// Not while the disk is full, when nothing could be done with it.
    async fn take_invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        let token = *token.as_bytes();
        let take = self
            .writer
            .commit(Effect::Grows, move |tables| tables.take_invitation(&token));
        let bytes = take.await?;
        let record = bytes.map(|bytes| InvitationRecord::from_bytes(&bytes));
        Ok(record.transpose()?.and_then(|record| record.invitation()))
    }
}

type Page = Vec<(String, Result<Account, StoreError>)>;

impl EmbeddedStore {
    /// The next accounts after this name, in order.
    fn accounts_after(&self, last: Option<&str>) -> Result<Page, StoreError> {
        let now = unix_millis(self.clock.now());
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.database.read(|snapshot| {
            let accounts = snapshot.transaction.open_table(ACCOUNTS).map_err(failed)?;
            let rows = accounts
                .range::<&str>((after, Bound::Unbounded))
                .map_err(failed)?;
            rows.take(PAGE_SIZE)
                .map(|row| {
                    let (name, bytes) = row.map_err(failed)?;
                    let record = AccountRecord::from_bytes(bytes.value());
                    let account = record.map(|record| record.account(now));
                    Ok((name.value().to_owned(), account))
                })
                .collect()
        })
    }
}
