//! The request guard for the sessions.

use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, State, async_trait};

use crate::session::Sessions;
use crate::web::answers::Refusal;

/// The sessions, for handlers: a request guard. All calls of one request share one deadline; through `&State<Sessions>` each
/// call has the whole timeout.
#[async_trait]
impl<'r> FromRequest<'r> for &'r Sessions {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match for_request(request) {
            Some(sessions) => Outcome::Success(sessions),
            // The sentinel below keeps such an application from launching.
            None => Refusal::without_stage().reject(request),
        }
    }
}

/// The request's deadline begins with the first call.
pub(crate) fn for_request<'r>(request: &'r Request<'_>) -> Option<&'r Sessions> {
    let sessions = request.rocket().state::<Sessions>()?;
    Some(request.local_cache(|| sessions.with_deadline()))
}

impl Sentinel for &Sessions {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        <&State<Sessions> as Sentinel>::abort(rocket)
    }
}
