//! Calls a session store's methods for a command.

use super::output::Output;
use super::wire::{Reply, Request};
use crate::session::{SessionStore, StoreError};

/// Does what is asked of the sessions.
pub(super) async fn answer(
    request: &Request,
    store: &dyn SessionStore,
    output: &Output,
) -> Result<(), StoreError> {
    match request {
        Request::Check => store.check().await,
        Request::List { user } => {
            let listing = store.list(user, None).await?;
            for found in listing.sessions {
                output.push(&Reply::Session(found.into()));
            }
            if !listing.complete {
                output.push(&Reply::Incomplete(None));
            }
            Ok(())
        }
        Request::ListAll => {
            let mut found = |handle, active| output.push(&Reply::Session((handle, active).into()));
            store.list_all(&mut found).await
        }
        Request::Find { prefix } => {
            for found in store.find(*prefix).await? {
                output.push(&Reply::Session(found.into()));
            }
            Ok(())
        }
        Request::RestoreLists { users } => store.restore_lists(users).await,
        Request::DeleteOfUser {
            user,
            selection,
            why,
        } => {
            output.push_ended(store.delete_of_user(user, *selection, why).await?);
            Ok(())
        }
        Request::DeleteByHandle { handle, why } => {
            if let Some(user) = store.delete_by_handle(*handle, why).await? {
                output.push(&Reply::User(user));
            }
            Ok(())
        }
        Request::DeleteAll { why } => {
            output.push_ended(store.delete_all(why).await?);
            Ok(())
        }
        Request::Account(_) => Ok(()),
    }
}
