//! In place of the addresses of accounts, where the feature `password` is missing.

use rocket::Route;
use utoipa::openapi::OpenApi;

use crate::web::site::Site;

pub(crate) fn routes(_: &Site) -> Vec<Route> {
    Vec::new()
}

pub(crate) fn pages(_: &Site) -> Vec<Route> {
    Vec::new()
}

pub(crate) fn document(_: &Site) -> OpenApi {
    OpenApi::default()
}
