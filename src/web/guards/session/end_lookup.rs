//! Looks up why the session of a request's cookie was ended.

use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::clock::rfc3339;
use crate::session::{EndedSession, SessionHandle, SessionId, Sessions};
use crate::web::observe::RequestRecord;

/// Why the session of the request's cookie was ended: a request guard, to be taken after the guard of a session, which does
/// the look-up.
pub(crate) struct EndLookup(Option<(EndedSession, Duration)>);

impl EndLookup {
    /// Looks it up, once a request, and logs it: the log shows by that what an operator's command, which has no log, ended.
    pub(crate) async fn look_up(request: &Request<'_>, sessions: &Sessions, id: &SessionId) {
        let look = async {
            // An error is ignored: the session is over in any case.
            let known = sessions.ended(id).await.ok().flatten();
            if let Some((ended, _)) = &known {
                log(request, id, ended);
            }
            Self(known)
        };
        request.local_cache_async(look).await;
    }

    /// Why it was ended, and how long ago; `None` if it expired, or was ended longer than the idle timeout ago.
    pub(crate) fn known(&self) -> Option<&(EndedSession, Duration)> {
        self.0.as_ref()
    }
}

fn log(request: &Request<'_>, id: &SessionId, ended: &EndedSession) {
    let record = RequestRecord::of(request);
    if let Some(user) = &ended.user {
        record.set_user(user, id);
    }
    tracing::info!(
        request_id = %record.id,
        user = ended.user,
        session = %SessionHandle::from(id).prefix(),
        reason = ended.reason.as_str(),
        ended_at = UNIX_EPOCH.checked_add(Duration::from_secs(ended.at)).map(rfc3339),
        ip = request.client_ip().map(tracing::field::display),
        "ended session presented"
    );
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r EndLookup {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(request.local_cache(|| EndLookup(None)))
    }
}
