//! The addresses of accounts.

use rocket::{Route, routes};
use utoipa::OpenApi;
use utoipa::openapi;

use super::{invitation, password, sign_up, well_known};
use crate::web::answers::{Detail, HTTPValidationError};
use crate::web::site::Site;

pub(crate) fn routes(site: &Site) -> Vec<Route> {
    let mut routes = routes![password::submit, invitation::submit];
    if site.signs_up() {
        routes.extend(routes![sign_up::submit]);
    }
    routes
}

/// Those that have no JSON form.
pub(crate) fn pages(site: &Site) -> Vec<Route> {
    let mut routes = routes![
        password::page,
        invitation::page,
        well_known::change_password
    ];
    if site.signs_up() {
        routes.extend(routes![sign_up::page]);
    }
    routes
}

#[derive(OpenApi)]
#[openapi(
    paths(
        password::submit,
        password::page,
        invitation::submit,
        invitation::page,
        well_known::change_password,
    ),
    components(schemas(
        Detail,
        HTTPValidationError,
        password::PasswordChanged,
        invitation::Accepted,
    ))
)]
struct Accounts;

#[derive(OpenApi)]
#[openapi(
    paths(sign_up::submit, sign_up::page),
    components(schemas(sign_up::SignedUp))
)]
struct SignUp;

pub(crate) fn document(site: &Site) -> openapi::OpenApi {
    let mut document = Accounts::openapi();
    if site.signs_up() {
        document.merge(SignUp::openapi());
    }
    document
}
