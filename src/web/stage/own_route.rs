//! What all routes of ours have in common.

use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route, async_trait};

use crate::web::guards::host::Hosts;
use crate::web::observe::request_record::Trace;

/// Put upon Rocket's own ranks, so that ours keep their order and come after the application's routes, whose ranks are
/// negative, and after its files: those of a `FileServer` have 10.
const BEHIND_APPLICATION: isize = 40;

/// Makes them routes that take no address from the application, and whose answers are known as ours.
pub(crate) fn own(routes: Vec<Route>) -> Vec<Route> {
    routes
        .into_iter()
        .map(|mut route| {
            route.rank += BEHIND_APPLICATION;
            route.handler = Box::new(Own(route.handler));
            route
        })
        .collect()
}

/// Refuses what is meant for another host, and notes that the answer is ours.
#[derive(Clone)]
struct Own(Box<dyn Handler>);

#[async_trait]
impl Handler for Own {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        if let Err(refusal) = Hosts::check(request) {
            return Outcome::from(request, refusal);
        }
        let outcome = self.0.handle(request, data).await;
        // What failed or was forwarded is answered by somebody else.
        if outcome.is_success() {
            Trace::of(request).set_own();
        }
        outcome
    }
}
