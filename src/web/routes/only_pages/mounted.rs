//! The addresses that have no JSON form.

use rocket::{Route, routes};
use utoipa::openapi::OpenApi;

use crate::config::Config;
use crate::web::routes::{home, login, logout};

pub(crate) fn home() -> Vec<Route> {
    routes![home::page]
}

pub(crate) fn sign_in() -> Vec<Route> {
    routes![login::page, logout::page]
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
