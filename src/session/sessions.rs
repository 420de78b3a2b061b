//! The life cycle of a session in three verbs: start, resume, end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Clock, Lifetimes, Session, SessionId, SessionStore, StoreError, UserName, Visitor};

/// Starts, resumes and ends sessions. Cheap to clone; clones share the store.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Arc<dyn SessionStore>,
    lifetimes: Lifetimes,
    clock: Clock,
}

/// A session that was found alive, and when it will end if nobody uses it again.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// What the store remembers.
    pub session: Session,
    /// The moment of its end.
    pub ends_at: SystemTime,
    /// How far away that is.
    pub left: Duration,
}

impl Sessions {
    /// Binds a store to the lifetimes and the clock that it was opened with.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, lifetimes: Lifetimes, clock: Clock) -> Self {
        Self {
            store,
            lifetimes,
            clock,
        }
    }

    /// Begins a session for `user` under a new id, and ends the one that the visitor came with.
    ///
    /// Always a new id: an id that was known before the sign-in must not be worth anything after it
    /// (OWASP, session fixation).
    ///
    /// # Errors
    ///
    /// The store could not write it; nobody is signed in.
    pub async fn start(
        &self,
        user: &UserName,
        visitor: Visitor,
        replaced: Option<&SessionId>,
    ) -> Result<SessionId, StoreError> {
        let id = SessionId::generate();
        let session = Session {
            user: user.as_str().to_owned(),
            status: "active".to_owned(),
            data: BTreeMap::new(),
            created_at: Some(to_the_second(self.clock.now())),
            visitor,
        };
        self.store.create(&id, &session, replaced).await?;
        Ok(id)
    }

    /// Finds a live session and slides its end; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store could not say. The session may well be alive.
    pub async fn resume(&self, id: &SessionId) -> Result<Option<Resumed>, StoreError> {
        let Some(session) = self.store.touch(id).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        Ok(self
            .lifetimes
            .left(session.created_at, now)
            .map(|left| Resumed {
                session,
                ends_at: now + left,
                left,
            }))
    }

    /// Ends a session; one that is over already is fine.
    ///
    /// # Errors
    ///
    /// The store could not do it: the visitor is still signed in.
    pub async fn end(&self, id: &SessionId) -> Result<(), StoreError> {
        self.store.delete(id).await
    }

    /// Lets the store write what it still holds in memory; for the shutdown.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Stores keep whole seconds, so the live session and its stored copy agree.
fn to_the_second(moment: SystemTime) -> SystemTime {
    let since = moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}
