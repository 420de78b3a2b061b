//! A running server's sessions as a [`SessionStore`].

use async_trait::async_trait;

use super::client::RemoteStore;
use super::wire::{Reply, Request};
use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Listing, NewSession, Selection,
    SessionHandle, SessionId, SessionStore, StoreError, WriteOutcome,
};

impl RemoteStore {
    async fn end(&self, request: Request) -> Result<EndOutcome, StoreError> {
        let mut outcome = EndOutcome::default();
        self.ask(&request, &mut |reply| {
            if let Reply::Ended(handle) = reply {
                outcome.ended.push(handle);
            } else if let Reply::Incomplete(failure) = reply {
                outcome.failure = failure.map(StoreError::from);
            }
        })
        .await?;
        Ok(outcome)
    }
}

/// What requests need is not for commands: no session's id crosses the socket.
fn not_for_commands<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed(
        "a command does not sign in, and does not use sessions".to_owned(),
    ))
}

#[async_trait]
impl SessionStore for RemoteStore {
    async fn create(&self, _: &NewSession<'_>) -> Result<Created, StoreError> {
        not_for_commands()
    }

    async fn touch(&self, _: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        not_for_commands()
    }

    async fn peek(&self, _: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        not_for_commands()
    }

    async fn list(
        &self,
        user: &str,
        _: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        let mut listing = Listing::all(Vec::new());
        let user = user.to_owned();
        self.ask(&Request::List { user }, &mut |reply| {
            if let Reply::Session(session) = reply {
                listing.sessions.push(session.into());
            } else if let Reply::Incomplete(_) = reply {
                listing.complete = false;
            }
        })
        .await?;
        Ok(listing)
    }

    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        let users = users.to_vec();
        self.ask(&Request::RestoreLists { users }, &mut |_| ())
            .await
    }

    async fn delete(&self, _: &SessionId, _: &EndedSession) -> Result<Option<String>, StoreError> {
        not_for_commands()
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let request = Request::DeleteOfUser {
            user: user.to_owned(),
            selection,
            why: why.clone(),
        };
        self.end(request).await
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let why = why.clone();
        let mut ended = None;
        self.ask(&Request::DeleteByHandle { handle, why }, &mut |reply| {
            if let Reply::User(user) = reply {
                ended = Some(user);
            }
        })
        .await?;
        Ok(ended)
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        self.ask(&Request::ListAll, &mut |reply| {
            if let Reply::Session(session) = reply {
                let (handle, active) = session.into();
                found(handle, active);
            }
        })
        .await
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        let mut sessions = Vec::new();
        self.ask(&Request::Find { prefix }, &mut |reply| {
            if let Reply::Session(session) = reply {
                sessions.push(session.into());
            }
        })
        .await?;
        Ok(sessions)
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        self.end(Request::DeleteAll { why: why.clone() }).await
    }

    async fn ended(&self, _: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        not_for_commands()
    }

    async fn write(
        &self,
        _: &SessionId,
        _: &str,
        _: Option<&str>,
        _: usize,
    ) -> Result<WriteOutcome, StoreError> {
        not_for_commands()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.ask(&Request::Check, &mut |_| ()).await
    }
}
