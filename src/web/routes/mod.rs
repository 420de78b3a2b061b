//! The addresses, one file a subject.

pub(crate) mod account;
pub(crate) mod confirm;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod only_pages;
pub(crate) mod profile;
pub(crate) mod session;
pub(crate) mod sessions;

use rocket::route::{Handler, Outcome};
use rocket::{Build, Data, Request, Rocket, Route, async_trait, routes};

use crate::web::answers::Refusal;
use crate::web::observe::RequestRecord;
use crate::web::request::is_for_own_host;
use crate::web::site::{Part, Site};
use crate::web::static_files::StaticFiles;

/// Added to the ranks that Rocket gives our routes, which keep their order. Those of the application, whose ranks are
/// negative, come before them, and so does a `FileServer`, whose rank is 10.
const RANK_OFFSET: isize = 40;

/// Mounts the parts that the site has, below its prefix.
pub(crate) fn mount(rocket: Rocket<Build>, site: &Site, files: &StaticFiles) -> Rocket<Build> {
    let groups = [
        (Part::Home, only_pages::home()),
        (Part::SignIn, sign_in(site)),
        (Part::Accounts, accounts(site)),
        (Part::Sessions, sessions(site)),
        (Part::Health, health()),
        (Part::Docs, docs()),
        (Part::StaticFiles, only_pages::static_files(files)),
    ];
    let prefix = site.prefix().to_string();
    groups
        .into_iter()
        .filter(|(part, _)| site.has(*part))
        .fold(rocket, |rocket, (_, routes)| {
            rocket.mount(prefix.as_str(), own(routes))
        })
}

fn sign_in(site: &Site) -> Vec<Route> {
    let mut routes = routes![login::submit, logout::submit, profile::page];
    if site.needs_password() {
        routes.extend(routes![confirm::submit]);
    }
    routes.extend(only_pages::sign_in(site));
    routes
}

fn accounts(site: &Site) -> Vec<Route> {
    let mut routes = account::routes(site);
    routes.extend(only_pages::accounts(site));
    routes
}

fn sessions(site: &Site) -> Vec<Route> {
    let mut routes = routes![
        session::read,
        sessions::page,
        sessions::end_one,
        sessions::end_others,
        sessions::end_all,
        sessions::submit_end_one,
        sessions::submit_end_others,
        sessions::submit_end_all,
    ];
    // Without a password every browser is one not seen before.
    if site.needs_password() {
        routes.extend(routes![sessions::know]);
    }
    routes
}

pub(crate) fn health() -> Vec<Route> {
    routes![health::alive, health::ready]
}

fn docs() -> Vec<Route> {
    let mut routes = routes![docs::document];
    routes.extend(only_pages::docs());
    routes
}

/// Makes the routes give way to the application's, and marks their answers as ours.
pub(crate) fn own(routes: Vec<Route>) -> Vec<Route> {
    routes
        .into_iter()
        .map(|mut route| {
            route.rank += RANK_OFFSET;
            route.handler = Box::new(Own(route.handler));
            route
        })
        .collect()
}

/// Refuses a request for another host, and marks the answer as ours.
#[derive(Clone)]
struct Own(Box<dyn Handler>);

#[async_trait]
impl Handler for Own {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        if !is_for_own_host(request) {
            return Outcome::from(request, Refusal::WrongHost);
        }
        let outcome = self.0.handle(request, data).await;
        // After a failure or a forward, the answer is another handler's or a catcher's.
        if outcome.is_success() {
            RequestRecord::of(request).set_own();
        }
        outcome
    }
}
