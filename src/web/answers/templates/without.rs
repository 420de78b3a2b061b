//! In place of the template engine, where the feature `pages` is missing.

use rocket::Request;
use rocket::http::Status;
use rocket::response;

/// Not called: every answer is JSON, and what has no JSON form is not mounted.
pub(crate) fn render<V>(
    _: &Request<'_>,
    _: Status,
    _: &'static str,
    _: V,
) -> response::Result<'static> {
    Err(Status::NotAcceptable)
}
