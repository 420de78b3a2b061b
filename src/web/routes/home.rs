//! `/`: a redirect to the profile or the sign-in.

use rocket::get;
use rocket::response::Redirect;

use crate::web::answers::{PublicResponses, Refusal};
use crate::web::guards::CurrentSession;
use crate::web::site::Site;

/// Redirects to the profile or the sign-in.
#[utoipa::path(
    get,
    path = "/",
    responses(PublicResponses, (status = 303, description = "To the profile or the sign-in.", headers(("Location" = String, description = "A path of this site")))),
    security((), ("session" = []))
)]
#[get("/")]
pub(crate) fn page(
    current: Result<&CurrentSession, Refusal>,
    site: &Site,
) -> Result<Redirect, Refusal> {
    match (current, site.sign_in()) {
        (Ok(_), _) => Ok(Redirect::to(site.after_sign_in().to_owned())),
        (Err(Refusal::NoSession | Refusal::SessionEnded), Some(page)) => {
            Ok(Redirect::to(page.to_owned()))
        }
        (Err(refusal), _) => Err(refusal),
    }
}
