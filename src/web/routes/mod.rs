//! The addresses, one module per subject.

mod home;
mod login;
mod logout;
mod profile;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    rocket::routes![
        home::page,
        login::page,
        login::submit,
        profile::page,
        logout::page,
        logout::submit,
    ]
}
