//! The request guard for what needs a recent proof of who the user is.

use std::time::Duration;

use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::current_session::CurrentSession;
use crate::web::answers::Refusal;
use crate::web::guards::sessions::needs_stage;

/// Proof that this session's user has proved who he is within `recent_sign_in_secs`, by signing in or on the page `/confirm/`:
/// a request guard for what a stranger at an unlocked screen must not do.
///
/// It asks for the session as [`CurrentSession`] does, and refuses as that does. Where the proof is older, a browser that asks
/// for a page is redirected to `/confirm/`, which leads back, and everybody else gets 403 ([`Refusal::NeedsRecentSignIn`]).
///
/// ```
/// use innkeeper::{RecentSignIn, Refusal};
/// use rocket::post;
///
/// #[post("/api-key")]
/// async fn new_key(recent: Result<RecentSignIn<'_>, Refusal>) -> Result<String, Refusal> {
///     let recent = recent?;
///     Ok(format!("A key for {}", recent.current().user()))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RecentSignIn<'r>(&'r CurrentSession);

impl<'r> RecentSignIn<'r> {
    /// The session.
    #[must_use]
    pub fn current(&self) -> &'r CurrentSession {
        self.0
    }
}

/// `recent_sign_in_secs`, managed by Rocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecentLimit(pub(crate) Duration);

#[async_trait]
impl<'r> FromRequest<'r> for RecentSignIn<'r> {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let current = try_outcome!(request.guard::<&CurrentSession>().await);
        let Some(RecentLimit(limit)) = request.rocket().state() else {
            // The sentinel below keeps such an application from launching.
            return Refusal::without_stage().reject(request);
        };
        if current.proved_ago().is_some_and(|ago| ago <= *limit) {
            Outcome::Success(Self(current))
        } else {
            Refusal::NeedsRecentSignIn.reject(request)
        }
    }
}

needs_stage!(RecentSignIn<'_>);
