//! The request guard that resolves the session cookie against the store.

use std::time::{Duration, SystemTime};

use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, State, async_trait};

use super::cookie::{Presented, SessionCookie};
use super::refusal::Refusal;
use super::same_origin::SameOrigin;
use crate::session::{Resumed, Session, SessionId, Sessions};

/// The live session of this request: a request guard.
///
/// Asking for it slides the session's end, once per request however many guards ask.
/// For an unsafe method (anything but GET, HEAD, OPTIONS and TRACE) it first refuses a request that another
/// site made the browser send, as [`SameOrigin`] does.
///
/// Take it as a `Result` and use `?`: the [`Refusal`] then answers, in HTML or JSON, 403 where there is no
/// session, 404 where it has ended (and removes the cookie), 503 where the store cannot say. Never take it as an
/// `Option`: that makes a store that is down look like a visitor who is not signed in.
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
    resumed: Resumed,
}

impl CurrentSession {
    /// Who is signed in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.resumed.session.user
    }

    /// All that is remembered.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.resumed.session
    }

    /// The session's id. It is the key to the session: keep it out of pages and logs.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// When the session ends if it is not used again.
    #[must_use]
    pub fn ends_at(&self) -> SystemTime {
        self.resumed.ends_at
    }

    /// How far away that is.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.resumed.left
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r CurrentSession {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match request.local_cache_async(resolve(request)).await {
            Ok(current) => Outcome::Success(current),
            Err(refusal) => {
                // For the catcher: it answers where a handler takes the guard without `Result`.
                request.local_cache(|| Some(refusal.clone()));
                Outcome::Error((refusal.status(), refusal.clone()))
            }
        }
    }
}

async fn resolve(request: &Request<'_>) -> Result<CurrentSession, Refusal> {
    SameOrigin::check(request)?;
    let (Some(cookie), Some(sessions)) = (
        request.rocket().state::<SessionCookie>(),
        request.rocket().state::<Sessions>(),
    ) else {
        // The sentinel below keeps such an application from launching.
        return Err(Refusal::StoreDown);
    };
    let id = match cookie.presented(request) {
        Presented::Nothing | Presented::Empty => return Err(Refusal::NoSession),
        Presented::Ambiguous => return Err(Refusal::AmbiguousCookie),
        Presented::Malformed => return Err(Refusal::SessionEnded),
        Presented::Id(id) => id,
    };
    match sessions.resume(&id).await {
        Ok(Some(resumed)) => Ok(CurrentSession { id, resumed }),
        Ok(None) => Err(Refusal::SessionEnded),
        Err(error) => Err(Refusal::from(error)),
    }
}

/// An application that asks for the guard and does not attach [`stage()`](super::stage()) does not launch.
impl Sentinel for &CurrentSession {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        <&State<Sessions> as Sentinel>::abort(rocket)
    }
}
