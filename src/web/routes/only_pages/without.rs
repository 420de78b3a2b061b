//! In place of the addresses that have no JSON form, where the feature `pages` is missing.

use rocket::Route;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

use crate::config::{Accent, Config};
use crate::web::site::Site;
use crate::web::static_files::StaticFiles;

pub(crate) fn home() -> Vec<Route> {
    Vec::new()
}

pub(crate) fn sign_in(_: &Site) -> Vec<Route> {
    Vec::new()
}

pub(crate) fn accounts(_: &Site) -> Vec<Route> {
    Vec::new()
}

pub(crate) fn docs() -> Vec<Route> {
    Vec::new()
}

pub(crate) fn static_files(_: &StaticFiles) -> Vec<Route> {
    Vec::new()
}

/// A setting is never ignored: a colour means nothing where there is no page.
pub(crate) fn check(config: &Config) -> Result<(), String> {
    if config.accent == Accent::default() {
        return Ok(());
    }
    Err(format!(
        "`{}` and `{}` are for pages, and this was built without Innkeeper's feature `pages`",
        Accent::KEY,
        Accent::DARK_KEY
    ))
}

/// The operations that are not mounted, by the names that the document gives them.
const PAGES: [&str; 9] = [
    "confirm_page",
    "docs_page",
    "home_page",
    "invitation_page",
    "login_page",
    "logout_page",
    "password_page",
    "sign_up_page",
    "well_known_change_password",
];

/// Removes the pages from the document: their addresses, their form of the other answers, and the redirects, which only
/// browsers get.
pub(crate) fn retain(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let is_page = |operation: &Operation| {
            let name = operation.operation_id.as_deref();
            name.is_some_and(|name| PAGES.contains(&name))
        };
        item.get = item.get.take().filter(|operation| !is_page(operation));
        for operation in [&mut item.get, &mut item.post, &mut item.delete] {
            operation.iter_mut().for_each(without_html);
        }
    }
    document.paths.paths.retain(|_, item| {
        [&item.get, &item.post, &item.delete]
            .iter()
            .any(|operation| operation.is_some())
    });
}

fn without_html(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    responses.retain(|status, _| status != "303");
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            response
                .content
                .retain(|media_type, _| media_type != "text/html");
        }
    }
}
