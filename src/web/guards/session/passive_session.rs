//! The request guard that reads a session without sliding its expiry.

use std::time::Duration;

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::current_session::{Expiry, resolve};
use crate::session::{ActiveSession, Session};
use crate::web::answers::Refusal;
use crate::web::guards::sessions::needs_stage;

/// The session of this request, without sliding its expiry: a request guard.
///
/// For requests that a page sends by itself: polling with [`CurrentSession`](crate::web::CurrentSession) would keep an idle
/// user signed in for ever. It refuses as that guard does.
#[derive(Debug)]
pub struct PassiveSession {
    active: ActiveSession,
}

impl PassiveSession {
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

    /// How long it is until the session ends if it is not used.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.active.expires_in
    }

    /// How long it is until its absolute limit; `None` if it has none.
    #[must_use]
    pub fn absolute_expires_in(&self) -> Option<Duration> {
        self.active.absolute_expires_in
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r PassiveSession {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let resolved = request.local_cache_async(async {
            let (_, active, _) = resolve(request, Expiry::Keep).await?;
            Ok(PassiveSession { active })
        });
        Refusal::outcome(request, resolved.await)
    }
}

needs_stage!(&PassiveSession);
