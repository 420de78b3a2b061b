//! The answer to what no handler answered.

use std::collections::BTreeSet;

use rocket::http::{Method, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rocket::{Catcher, Route, catch};

use super::headers::harden;
use super::negotiate::answer;
use super::pages::ErrorPage;
use super::refusal::{Detail, Refusal};

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
        Ok(response)
    }
}

/// A handler that takes a guard without `Result` ends here; the guard has left its reason.
fn left_by_guard(status: Status, request: &Request<'_>) -> Option<Refusal> {
    let refusal = request.local_cache(|| None::<Refusal>).clone();
    refusal.filter(|refusal| refusal.status() == status)
}

fn respond(status: Status, request: &Request<'_>) -> Response<'static> {
    let allowed = if status == Status::NotFound {
        other_methods(request)
    } else {
        BTreeSet::new()
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
fn other_methods(request: &Request<'_>) -> BTreeSet<&'static str> {
    let routes: Vec<&Route> = request
        .rocket()
        .routes()
        .filter(|route| matches_path(route, request))
        .collect();
    if routes.iter().any(|route| route.method == request.method()) {
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
