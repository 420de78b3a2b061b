//! `/`: nothing of its own.

use rocket::get;
use rocket::response::Redirect;

use crate::web::current_session::CurrentSession;
use crate::web::openapi::OpenToAll;
use crate::web::refusal::Refusal;

/// Goes on to the profile or the sign-in.
#[utoipa::path(
    get,
    path = "/",
    responses(OpenToAll, (status = 303, description = "Goes on.", headers(("Location" = String)))),
    security((), ("session" = []))
)]
#[get("/")]
pub(in crate::web) fn page(current: Result<&CurrentSession, Refusal>) -> Result<Redirect, Refusal> {
    match current {
        Ok(_) => Ok(Redirect::to("/profile/")),
        Err(Refusal::NoSession | Refusal::SessionEnded) => Ok(Redirect::to("/login/")),
        Err(refusal) => Err(refusal),
    }
}
