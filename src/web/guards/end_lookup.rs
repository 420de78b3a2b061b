//! Why the session that a request presents is over, if somebody ended it.

use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::clock::rfc3339;
use crate::session::{EndedSession, SessionHandle, SessionId, Sessions};
use crate::web::observe::request_record::Trace;

/// What the guards of a session have found out about one that is over: a request guard, to be taken behind theirs.
pub(in crate::web) struct EndLookup(Option<(EndedSession, Duration)>);

impl EndLookup {
    /// Looks it up, once a request, and puts it into the log: an operator ends sessions by another process.
    pub(in crate::web) async fn look_up(
        request: &Request<'_>,
        sessions: &Sessions,
        id: &SessionId,
    ) {
        let look = async {
            // The session is over, whether or not the store says why.
            let known = sessions.ended(id).await.ok().flatten();
            if let Some((ending, _)) = &known {
                log(request, id, ending);
            }
            Self(known)
        };
        request.local_cache_async(look).await;
    }

    /// Why it ended, and how long ago; `None` if nobody ended it, or it is forgotten.
    pub(in crate::web) fn known(&self) -> Option<&(EndedSession, Duration)> {
        self.0.as_ref()
    }
}

fn log(request: &Request<'_>, id: &SessionId, ending: &EndedSession) {
    let trace = Trace::of(request);
    if let Some(user) = &ending.user {
        trace.set_guest(user, id);
    }
    tracing::info!(
        request_id = %trace.id(),
        user = ending.user,
        session = %SessionHandle::from(id).prefix(),
        reason = ending.reason.as_str(),
        ended_at = UNIX_EPOCH.checked_add(Duration::from_secs(ending.at)).map(rfc3339),
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
