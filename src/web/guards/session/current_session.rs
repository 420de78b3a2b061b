//! The request guard that resolves the session cookie against the store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::end_lookup::EndLookup;
use crate::client::Client;
use crate::clock::unix_time;
use crate::session::{
    ActiveSession, EndOutcome, EndReason, FieldError, ListedSession, Listing, NEW_SIGN_IN, PROVED,
    Selection, Session, SessionHandle, SessionId, Sessions, StoreError, WriteOutcome,
};
use crate::web::answers::Refusal;
use crate::web::guards::same_origin::SameOrigin;
use crate::web::guards::sessions::{self, needs_stage};
use crate::web::observe::{Audit, RequestRecord};
use crate::web::request::{CookieState, SessionCookie, header_values};

/// The active session of this request: a request guard.
///
/// It slides the session's expiry, once per request however many guards ask.
/// For an unsafe method (anything but GET, HEAD, OPTIONS and TRACE) it first refuses a request that another
/// site made the browser send, as [`SameOrigin`] does.
///
/// Take it as a `Result` and use `?`: the [`Refusal`] then answers, in HTML or JSON, 403 where there is no
/// session, 404 where it has ended (and removes the cookie), 503 where the store does not answer. Taken without `Result` it
/// answers the same, unless the application has a catcher for that status. Never take it as an
/// `Option`: that makes a store that is down look like a user who is not signed in.
///
/// A guard of the application's own that asks for this one hands its error on as it is, with `try_outcome!`. The status in
/// that outcome is only a mark by which Innkeeper's catcher knows its refusals; the client gets [`Refusal::status`].
///
/// The application's own data goes into fields of the session, each read and written by itself
/// ([`get`](Self::get), [`set`](Self::set), [`remove`](Self::remove)). `examples/basket.rs` is a whole program.
///
/// ```
/// use innkeeper::{CurrentSession, Refusal};
/// use rocket::get;
///
/// #[get("/orders")]
/// fn orders(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
///     let current = current?;
///     Ok(format!("Orders of {}", current.user()))
/// }
/// ```
#[derive(Debug)]
pub struct CurrentSession {
    id: SessionId,
    active: ActiveSession,
    sessions: Sessions,
    user_agent: Option<String>,
    audit: Audit,
    /// The session with what this request has written; `None` until it writes.
    written: Mutex<Option<Session>>,
}

impl CurrentSession {
    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.active.session.user
    }

    /// The session's data.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.active.session
    }

    /// The session's id. It is the key to the session: keep it out of pages and logs.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// When the session ends if it is not used again.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.active.expires_at
    }

    /// How long it is until then.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.active.expires_in
    }

    /// The time of this request, by the clock that measures sessions.
    pub(crate) fn used_at(&self) -> SystemTime {
        self.active.expires_at - self.active.expires_in
    }

    /// How long ago its user proved who he is; `None` where another program created the session, so that nobody knows. Never
    /// negative: a proof in the future, by another instance's clock, is one of this moment.
    pub(crate) fn proved_ago(&self) -> Option<Duration> {
        let proved_at = self.session().proved_at()?;
        Some(self.used_at().duration_since(proved_at).unwrap_or_default())
    }

    /// Records that its user has just proved who he is.
    pub(crate) async fn set_proved(&self) -> Result<(), Refusal> {
        let now = unix_time(self.sessions.clock().now()).as_secs().to_string();
        let written = self.sessions.write_own(&self.id, PROVED, Some(&now));
        match written.await? {
            WriteOutcome::Written => Ok(()),
            WriteOutcome::NoSession => Err(Refusal::SessionEnded),
            WriteOutcome::TooManyFields => Err(Refusal::Internal("a session is full".into())),
        }
    }

    /// The user has answered what this session told him of a new sign-in.
    pub(crate) async fn forget_new_sign_in(&self) -> Result<(), StoreError> {
        let write = self.sessions.write_own(&self.id, NEW_SIGN_IN, None);
        write.await.map(drop)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.sessions.lifetimes().idle
    }

    /// Reads one of the application's fields, as it was when the request began or as this request has written it;
    /// `None` if there is no such field.
    ///
    /// # Errors
    ///
    /// [`FieldError::Json`]: the value is not of this type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FieldError> {
        match self.written().as_ref() {
            Some(session) => session.field(name),
            None => self.session().field(name),
        }
    }

    /// Writes one of the application's fields, and no other: requests that write different fields at the same time
    /// all keep their change; of two that write the same field the later one counts.
    ///
    /// A name has up to 64 characters, does not begin with `_` and is neither `user` nor `status`; a value has up to
    /// 4096 bytes as JSON; a session has up to 32 fields. The user sees the fields in `session_data`.
    ///
    /// # Errors
    ///
    /// Nothing was written, because of one of these limits or because the session is over
    /// ([`FieldError::Ended`]: it does not come back); or the store failed.
    pub async fn set<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FieldError> {
        let text = self.sessions.write(&self.id, name, Some(value)).await?;
        self.keep(name, text);
        Ok(())
    }

    /// Removes one of the application's fields, if it exists.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub async fn remove(&self, name: &str) -> Result<(), FieldError> {
        self.sessions.write(&self.id, name, None::<&()>).await?;
        self.keep(name, None);
        Ok(())
    }

    /// The user's active sessions, this one first, then the last used first. Slides no expiry.
    ///
    /// # Errors
    ///
    /// The store failed, so the sessions are unknown.
    pub async fn list(&self) -> Result<Listing<ListedSession>, StoreError> {
        let mut listing = self.sessions.list(self.user(), Some(&self.id)).await?;
        let own = self.handle();
        // A stable sort: the others keep their order.
        listing.sessions.sort_by_key(|listed| listed.handle != own);
        Ok(listing)
    }

    /// Ends some of the user's sessions, and returns those that were active. They are logged and counted. The answer keeps
    /// the session cookie: to end this session alone and remove the cookie, use [`SignOut`](crate::web::SignOut).
    ///
    /// Of [`Selection::All`] this session ends last, and only if nothing has failed before: otherwise others may be active,
    /// and the user can try again.
    ///
    /// # Errors
    ///
    /// None, some or all of them have ended.
    pub async fn end(&self, selection: Selection) -> Result<EndOutcome, StoreError> {
        let own = self.handle();
        let client = Client::new(self.audit.ip, self.user_agent.as_deref());
        let first = if selection == Selection::All {
            Selection::Others(own)
        } else {
            selection
        };
        let mut outcome = self
            .sessions
            .end_of_user(self.user(), first, EndReason::Ended, &client)
            .await?;
        if outcome.failure.is_some() || !selection.includes(own) {
            self.note_end(first, &outcome);
            return Ok(outcome);
        }
        // By its id, which works even if the user's list has been lost (evicted from Redis, say).
        let own_end = self.sessions.end(&self.id, &client).await;
        outcome.ended.extend(own_end.iter().flatten().map(|_| own));
        self.note_end(selection, &outcome);
        own_end?;
        Ok(outcome)
    }

    fn note_end(&self, selection: Selection, outcome: &EndOutcome) {
        self.audit
            .ended_own(self.user(), self.handle(), selection, &outcome.ended);
    }

    pub(crate) fn handle(&self) -> SessionHandle {
        SessionHandle::from(&self.id)
    }

    fn keep(&self, name: &str, text: Option<String>) {
        let mut written = self.written();
        let session = written.get_or_insert_with(|| self.session().clone());
        match text {
            Some(text) => session.data.insert(name.to_owned(), text),
            None => session.data.remove(name),
        };
    }

    // A panic while the lock was held cannot leave a map half changed.
    fn written(&self) -> MutexGuard<'_, Option<Session>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r CurrentSession {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let resolved = request.local_cache_async(async {
            let (id, active, sessions) = resolve(request, Expiry::Slide).await?;
            let user_agent = header_values(request, "User-Agent").next();
            Ok(CurrentSession {
                id,
                active,
                sessions: sessions.clone(),
                user_agent: user_agent.map(str::to_owned),
                audit: Audit::of(request),
                written: Mutex::default(),
            })
        });
        Refusal::outcome(request, resolved.await)
    }
}

/// Whether a look-up slides the session's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Slide,
    Keep,
}

pub(crate) async fn resolve<'r>(
    request: &'r Request<'_>,
    expiry: Expiry,
) -> Result<(SessionId, ActiveSession, &'r Sessions), Refusal> {
    let record = RequestRecord::of(request);
    record.set_session_looked_up();
    SameOrigin::check(request)?;
    let (Some(cookie), Some(sessions)) =
        (SessionCookie::of(request), sessions::for_request(request))
    else {
        // The sentinel below keeps such an application from launching.
        return Err(Refusal::without_stage());
    };
    let id = match cookie.state(request) {
        CookieState::Absent | CookieState::Empty => return Err(Refusal::NoSession),
        CookieState::Ambiguous => return Err(Refusal::AmbiguousCookie),
        CookieState::Malformed => return Err(Refusal::SessionEnded),
        CookieState::Id(id) => id,
    };
    let found = match expiry {
        Expiry::Slide => sessions.resume(&id).await?,
        Expiry::Keep => sessions.peek(&id).await?,
    };
    let Some(active) = found else {
        EndLookup::look_up(request, sessions, &id).await;
        return Err(Refusal::SessionEnded);
    };
    record.set_signed_in(&active.session.user, &id);
    Ok((id, active, sessions))
}

needs_stage!(&CurrentSession);
