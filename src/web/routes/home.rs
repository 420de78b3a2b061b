//! `/`: nothing of its own.

use rocket::get;
use rocket::response::Redirect;

use crate::web::current_session::CurrentSession;
use crate::web::refusal::Refusal;

/// With a rank, so that an application's own home page comes first.
#[get("/", rank = 20)]
pub(in crate::web) fn page(current: Result<&CurrentSession, Refusal>) -> Result<Redirect, Refusal> {
    match current {
        Ok(_) => Ok(Redirect::to("/profile/")),
        Err(Refusal::NoSession | Refusal::SessionEnded) => Ok(Redirect::to("/login/")),
        Err(refusal) => Err(refusal),
    }
}
