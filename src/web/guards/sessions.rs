//! The request guard for the sessions.

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

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

macro_rules! needs_stage {
    ($guard:ty) => {
        /// An application that asks for the guard and does not attach [`stage()`](crate::stage()) does not launch.
        impl rocket::Sentinel for $guard {
            fn abort(rocket: &rocket::Rocket<rocket::Ignite>) -> bool {
                <&rocket::State<crate::session::Sessions> as rocket::Sentinel>::abort(rocket)
            }
        }
    };
}

pub(super) use needs_stage;

needs_stage!(&Sessions);
