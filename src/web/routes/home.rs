//! `/`: a redirect to the profile or the sign-in.

use rocket::get;
use rocket::response::Redirect;

use crate::web::answers::{PublicResponses, Refusal};
use crate::web::guards::CurrentSession;

/// Redirects to the profile or the sign-in.
#[utoipa::path(
    get,
    path = "/",
    responses(PublicResponses, (status = 303, description = "To the profile or the sign-in.", headers(("Location" = String)))),
    security((), ("session" = []))
)]
#[get("/")]
pub(crate) fn page(current: Result<&CurrentSession, Refusal>) -> Result<Redirect, Refusal> {
    match current {
        Ok(_) => Ok(Redirect::to("/profile/")),
        Err(Refusal::NoSession | Refusal::SessionEnded) => Ok(Redirect::to("/login/")),
        Err(refusal) => Err(refusal),
    }
}
