//! The answer to what no handler answered.

use std::collections::BTreeSet;

use rocket::http::{Method, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rocket::{Catcher, Route, catch};

use super::headers::harden;
use super::logging::RequestLog;
use super::negotiate::answer;
use super::pages::ErrorPage;
use super::refusal::{Detail, Refusal};
use super::trace::Trace;

pub(super) fn catchers() -> Vec<Catcher> {
    rocket::catchers![default]
}

#[catch(default)]
fn default(status: Status, _: &Request<'_>) -> Caught {
    Caught(status)
}

/// The answer to a status that nobody has put into words. Never fails: what cannot be rendered is plain text.
struct Caught(Status);

impl<'r> Responder<'r, 'static> for Caught {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = match left_by_guard(self.0, request) {
            Some(refusal) => refusal.respond_to(request)?,
            None => respond(self.0, request),
        };
        harden(request, &mut response);
        RequestLog::catch(request, &mut response);
        Ok(response)
    }
}

/// A handler that takes a guard without `Result` ends here; the guard has left its reason.
fn left_by_guard(status: Status, request: &Request<'_>) -> Option<Refusal> {
    let refusal = Trace::of(request).left();
    refusal
        .filter(|refusal| refusal.status() == status)
        .cloned()
}

fn respond(status: Status, request: &Request<'_>) -> Response<'static> {
    let allowed = match status {
        Status::NotFound => other_methods(request, Some(request.method())),
        // What Rocket gives up before it looks for a route has a method that it does not know.
        Status::BadRequest if request.route().is_none() => other_methods(request, None),
        _ => BTreeSet::new(),
    };
    let status = if allowed.is_empty() {
        status
    } else {
        Status::MethodNotAllowed
    };
    let page = ErrorPage::of(status);
    let plain = page.plain(status);
    let body = Detail {
        detail: status.reason().unwrap_or("Error"),
    };
    let mut response = answer(request, status, "error", page, &body).unwrap_or(plain);
    if !allowed.is_empty() {
        let list: Vec<_> = allowed.into_iter().collect();
        response.set_raw_header("Allow", list.join(", "));
    }
    response
}

/// The methods that the path answers to, if the request's own is not among them.
///
/// Rocket answers 404 to a wrong method; what it matches by is not public, so the paths are compared here.
/// A path that stands in a route as it is counts as no other route's parameter.
fn other_methods(request: &Request<'_>, own: Option<Method>) -> BTreeSet<&'static str> {
    let mut routes: Vec<&Route> = request
        .rocket()
        .routes()
        .filter(|route| matches_path(route, request))
        .collect();
    let verbatim = |route: &&Route| !route.uri.path().contains('<');
    if routes.iter().any(verbatim) {
        routes.retain(verbatim);
    }
    if routes.iter().any(|route| Some(route.method) == own) {
        return BTreeSet::new();
    }
    let head = routes
        .iter()
        .any(|route| route.method == Method::Get)
        .then_some("HEAD");
    routes
        .iter()
        .map(|route| route.method.as_str())
        .chain(head)
        .collect()
}

fn matches_path(route: &Route, request: &Request<'_>) -> bool {
    let mut wanted = request.uri().path().segments();
    for segment in route
        .uri
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
    {
        if segment.starts_with('<') && segment.ends_with("..>") {
            return true;
        }
        match wanted.next() {
            Some(_) if segment.starts_with('<') => {}
            Some(text) if text == segment => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}
