//! Rocket's catchers: the answers to requests that no handler has answered.

use std::collections::BTreeSet;

use rocket::catcher::{BoxFuture, Handler};
use rocket::http::{Method, Status};
use rocket::request::Request;
use rocket::response::{Responder, Response};
use rocket::{Build, Catcher, Rocket, Route};

use super::detail::Detail;
use super::error_page::ErrorPage;
use super::headers::set_security_headers;
use super::page::answer;
use super::refusal::{REFUSED, Refusal};
use crate::web::observe::{AccessLog, RequestRecord};
use crate::web::request::is_for_own_host;
use crate::web::site::SitePath;

/// The name of our catchers; an application's have the names of their functions.
const NAME: &str = "Innkeeper";

/// Registers our catchers: for [`REFUSED`] at each base, and for all errors below `prefix`, unless the application has such
/// a one.
pub(crate) fn register(rocket: Rocket<Build>, prefix: &SitePath) -> Rocket<Build> {
    let prefix = prefix.to_string();
    let same = |catcher: &Catcher| catcher.base == *prefix && catcher.code.is_none();
    let has_default = rocket.catchers().any(same);
    // Rocket prefers a catcher of a longer base, whatever its status.
    let bases = rocket.catchers().map(|catcher| catcher.base.to_string());
    let bases: BTreeSet<_> = bases.chain(["/".to_owned(), prefix.clone()]).collect();
    let rocket = bases.iter().fold(rocket, |rocket, base| {
        rocket.register(base.as_str(), vec![named(REFUSED.code, refused)])
    });
    if has_default {
        rocket
    } else {
        rocket.register(prefix, vec![named(None, default)])
    }
}

fn named<H: Handler>(code: impl Into<Option<u16>>, handler: H) -> Catcher {
    let mut catcher = Catcher::new(code, handler);
    catcher.name = Some(NAME.into());
    catcher
}

fn default<'r>(status: Status, request: &'r Request<'_>) -> BoxFuture<'r> {
    Box::pin(async move {
        // Where there is a route, the route has checked the host.
        let response = if request.route().is_none() && !is_for_own_host(request) {
            Refusal::WrongHost.respond_to(request)?
        } else {
            respond(status, request)
        };
        Ok(finished(request, response))
    })
}

/// Answers with the refusal of a guard that the handler did not take as a `Result`.
fn refused<'r>(_: Status, request: &'r Request<'_>) -> BoxFuture<'r> {
    Box::pin(async move {
        let refusal = Refusal::take_last(request).ok_or(Status::InternalServerError)?;
        let status = refusal.status();
        if let Some(own) = catcher_of_application(status, request) {
            refusal.note(request);
            return own.handler.handle(status, request).await;
        }
        Ok(finished(request, refusal.respond_to(request)?))
    })
}

/// The application's catcher for a status, if Rocket would choose that and not ours.
fn catcher_of_application<'r>(status: Status, request: &'r Request<'_>) -> Option<&'r Catcher> {
    let base = |catcher: &'r Catcher| catcher.base.path().segments();
    let chosen = request
        .rocket()
        .catchers()
        .filter(|catcher| catcher.code.is_none_or(|code| code == status.code))
        .filter(|catcher| base(catcher).prefix_of(request.uri().path().segments()))
        .max_by_key(|catcher| (base(catcher).len(), catcher.code.is_some()))?;
    (chosen.name.as_deref() != Some(NAME)).then_some(chosen)
}

/// Does what the fairings do: Rocket hands a request that it cannot parse to a catcher, and to no fairing.
fn finished<'r>(request: &'r Request<'_>, mut response: Response<'r>) -> Response<'r> {
    let record = RequestRecord::of(request);
    record.set_own();
    // Where the fairings follow, the headers are theirs to set: Rocket's `Shield` would complain of ours.
    if !record.has_passed_fairings() {
        set_security_headers(request, &mut response);
        AccessLog::catch(request, &mut response);
    }
    response
}

/// The answer to a bare status. Never fails: if the page cannot be rendered, it is plain text.
fn respond(status: Status, request: &Request<'_>) -> Response<'static> {
    let allowed = match status {
        // A route's own status stays.
        _ if request.route().is_some() => BTreeSet::new(),
        Status::NotFound => other_methods(request, Some(request.method())),
        // Without a route, Rocket answers 400 to a method that it does not know.
        Status::BadRequest => methods_of_path(request),
        _ => BTreeSet::new(),
    };
    let status = if allowed.is_empty() {
        status
    } else {
        Status::MethodNotAllowed
    };
    let page = ErrorPage::new(status);
    let plain = page.plain();
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

/// The methods that the path answers to; none if there is nothing at the path.
pub(crate) fn methods_of_path(request: &Request<'_>) -> BTreeSet<&'static str> {
    other_methods(request, None)
}

/// The methods that the path answers to, if the request's own is not among them.
///
/// Rocket answers 404 to a wrong method; what it matches by is not public, so the paths are compared here.
/// A path that one route has literally does not count as a value of another route's parameter.
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
    let has_get = routes.iter().any(|route| route.method == Method::Get);
    let methods = routes.iter().map(|route| route.method.as_str());
    methods.chain(has_get.then_some("HEAD")).collect()
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
