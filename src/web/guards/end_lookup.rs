//! Why the session that a request presents is over, if somebody ended it.

use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::clock::rfc3339;
use crate::session::{EndedSession, SessionHandle, SessionId, Sessions};
use crate::web::observe::RequestRecord;

/// What the guards of a session have found out about one that is over: a request guard, to be taken behind theirs.
pub(crate) struct EndLookup(Option<(EndedSession, Duration)>);

impl EndLookup {
    /// Looks it up, once a request, and puts it into the log: an operator ends sessions by another process.
    pub(crate) async fn look_up(request: &Request<'_>, sessions: &Sessions, id: &SessionId) {
        let look = async {
            // The session is over, whether or not the store says why.
            let known = sessions.ended(id).await.ok().flatten();
            if let Some((ended, _)) = &known {
                log(request, id, ended);
            }
            Self(known)
        };
        request.local_cache_async(look).await;
    }

    /// Why it ended, and how long ago; `None` if nobody ended it, or it is forgotten.
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
