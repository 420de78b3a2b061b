//! The sessions as one request may use them.

use std::time::Duration;

use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel, State, async_trait};

use crate::session::Sessions;
use crate::web::answers::refusal::Refusal;

/// How long one request may wait for its store in all, managed by Rocket; `None`: as long as it takes, for a store in
/// memory, which waits for nothing.
#[derive(Clone, Copy)]
pub(in crate::web) struct Patience(pub(in crate::web) Option<Duration>);

/// The life cycle for handlers: a request guard. All calls of one request share the time that it may wait.
///
/// (`&State<Sessions>` is the same without that limit.)
#[async_trait]
impl<'r> FromRequest<'r> for &'r Sessions {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match of(request) {
            Some(sessions) => Outcome::Success(sessions),
            // The sentinel below keeps such an application from launching.
            None => Refusal::without_stage().stop(request),
        }
    }
}

/// The time begins with the first use.
pub(in crate::web) fn of<'r>(request: &'r Request<'_>) -> Option<&'r Sessions> {
    let sessions = request.rocket().state::<Sessions>()?;
    match request.rocket().state::<Patience>() {
        Some(Patience(Some(whole))) => Some(request.local_cache(|| sessions.within(*whole))),
        _ => Some(sessions),
    }
}

impl Sentinel for &Sessions {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        <&State<Sessions> as Sentinel>::abort(rocket)
    }
}
