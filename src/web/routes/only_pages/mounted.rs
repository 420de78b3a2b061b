//! The addresses that have no JSON form.

use rocket::{Route, routes};
use utoipa::openapi::OpenApi;

use crate::config::Config;
use crate::web::routes::{account, confirm, home, login, logout};
use crate::web::site::Site;

pub(crate) fn home() -> Vec<Route> {
    routes![home::page]
}

pub(crate) fn sign_in(site: &Site) -> Vec<Route> {
    let mut routes = routes![login::page, logout::page];
    if site.needs_password() {
        routes.extend(routes![confirm::page]);
    }
    routes
}

pub(crate) fn accounts(site: &Site) -> Vec<Route> {
    account::pages(site)
}

pub(crate) fn docs() -> Vec<Route> {
    routes![crate::web::routes::docs::page]
}

/// All settings mean something.
#[expect(
    clippy::unnecessary_wraps,
    reason = "without pages, some settings are errors"
)]
pub(crate) fn check(_: &Config) -> Result<(), String> {
    Ok(())
}

/// The document describes the pages too.
pub(crate) fn retain(_: &mut OpenApi) {}
