//! Calls an account store's methods for a command.

use super::wire::{AccountReply, AccountRequest as Ask, Name};
use crate::control::output::Output;
use crate::control::wire::Reply;
use crate::session::StoreError;
use crate::store::Stores;

/// Does what is asked.
pub(in crate::control) async fn answer(
    request: &Ask,
    stores: &Stores,
    output: &Output,
) -> Result<(), StoreError> {
    let Some(store) = &stores.accounts else {
        return Err(StoreError::Failed("it keeps no accounts".to_owned()));
    };
    let reply = |reply| output.push(&Reply::Account(reply));
    let done = |done| reply(AccountReply::Done(done));
    match request {
        Ask::Account { user } => {
            if let Some(account) = store.account(&user.0).await? {
                let user = user.clone();
                reply(AccountReply::Account { user, account });
            }
        }
        Ask::Add { user, account } => {
            let added = store.add(&user.0, account).await?;
            log(added, user, "account made");
            done(added);
        }
        Ask::BeginChange { user, change } => {
            done(store.begin_change(&user.0, &change.0).await?);
        }
        Ask::CancelChange { user, change } => store.cancel_change(&user.0, &change.0).await?,
        Ask::SetPassword {
            user,
            change,
            password,
            changed,
        } => {
            let set = store.set_password(&user.0, &change.0, password, *changed);
            reply(AccountReply::SetPassword(set.await?));
        }
        Ask::Rehash { user, old, new } => store.rehash(&user.0, old, new).await?,
        Ask::SetDisabled { user, disabled } => {
            let set = store.set_disabled(&user.0, *disabled).await?;
            let event = if *disabled {
                "account disabled"
            } else {
                "account enabled"
            };
            log(set, user, event);
            done(set);
        }
        Ask::Remove { user, created } => {
            let removed = store.remove(&user.0, *created).await?;
            log(removed, user, "account removed");
            done(removed);
        }
        Ask::List => {
            let mut found = |user, account| {
                let user = Name(user);
                reply(AccountReply::Account { user, account });
            };
            store.list(&mut found).await?;
        }
        Ask::IsEmpty => done(store.is_empty().await?),
        Ask::Invite {
            token,
            invitation,
            ttl,
        } => {
            let invitation = invitation.read().ok_or_else(unknown)?;
            store.invite(&token.0, &invitation, *ttl).await?;
            let user = invitation.user.map(Name);
            if let Some(user) = &user {
                log(true, user, "link made");
            }
        }
        Ask::GiveBack {
            token,
            invitation,
            ttl,
        } => {
            let invitation = invitation.read().ok_or_else(unknown)?;
            store.give_back(&token.0, &invitation, *ttl).await?;
        }
        Ask::Invitation { token } => {
            if let Some(found) = store.invitation(&token.0).await? {
                reply(AccountReply::Invitation((&found).into()));
            }
        }
        Ask::TakeInvitation { token } => {
            if let Some(taken) = store.take_invitation(&token.0).await? {
                reply(AccountReply::Invitation((&taken).into()));
            }
        }
    }
    Ok(())
}

/// What an operator does to an account stands in the server's log, beside what its user does.
fn log(is_done: bool, user: &Name, event: &str) {
    if is_done {
        tracing::info!(user = user.0.as_str(), by = "operator", "{event}");
    }
}

fn unknown() -> StoreError {
    StoreError::Failed("an invitation is for something that is not known here".to_owned())
}
