//! Where password managers look for the page that changes a password (W3C, "A Well-Known URL for Changing Passwords").

use rocket::get;
use rocket::response::Redirect;

use crate::web::answers::Refusal;
use crate::web::site::Site;

/// Redirects to the page that changes the password.
#[utoipa::path(
    get,
    path = "/.well-known/change-password",
    responses((status = 303, description = "To `/password/`.", headers(("Location" = String, description = "A path of this site"))))
)]
#[get("/.well-known/change-password")]
pub(crate) fn change_password(site: &Site) -> Result<Redirect, Refusal> {
    let page = site.password().ok_or(Refusal::NoSession)?;
    Ok(Redirect::to(page.to_owned()))
}
