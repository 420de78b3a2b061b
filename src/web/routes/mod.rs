//! The addresses, one module per subject.

pub(super) mod health;
mod home;
mod login;
mod logout;
mod profile;
mod session;
mod sessions;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    rocket::routes![
        health::alive,
        health::ready,
        home::page,
        login::page,
        login::submit,
        profile::page,
        logout::page,
        logout::submit,
        session::read,
        sessions::page,
        sessions::end_one,
        sessions::end_others,
        sessions::end_all,
        sessions::submit_end_one,
        sessions::submit_end_others,
        sessions::submit_end_all,
    ]
}
