//! The addresses, one module per subject.

pub(super) mod docs;
pub(super) mod health;
pub(super) mod home;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod profile;
pub(super) mod session;
pub(super) mod sessions;
pub(crate) mod static_files;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    rocket::routes![
        docs::document,
        docs::page,
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
