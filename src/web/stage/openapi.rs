//! The `OpenAPI` document of all handlers.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{self, Components, Info, Paths, Server};

use crate::config::PublicUrl;
use crate::web::answers::{Detail, HTTPValidationError, without_sign_in_page, wrong_host};
use crate::web::request::Hosts;
use crate::web::routes::{
    account, confirm, docs, health, home, login, logout, only_pages, profile, session, sessions,
};
use crate::web::site::{Part, Site};

// The handlers of each part, in the order of the page, and the schemas that their answers name.

#[derive(OpenApi)]
#[openapi(
    paths(
        login::submit,
        profile::page,
        logout::submit,
        login::page,
        logout::page
    ),
    components(schemas(
        Detail,
        HTTPValidationError,
        login::LoggedIn,
        profile::Profile<'_>,
        logout::LoggedOut,
    ))
)]
struct SignIn;

#[derive(OpenApi)]
#[openapi(
    paths(confirm::submit, confirm::page),
    components(schemas(confirm::Confirmed))
)]
struct Confirm;

#[derive(OpenApi)]
#[openapi(
    paths(
        session::read,
        sessions::page,
        sessions::end_all,
        sessions::end_others,
        sessions::end_one,
        sessions::submit_end_all,
        sessions::submit_end_others,
        sessions::submit_end_one,
    ),
    components(schemas(
        Detail,
        sessions::SessionList,
        sessions::EndedOne,
        sessions::EndedSeveral,
    ))
)]
struct Sessions;

#[derive(OpenApi)]
#[openapi(paths(home::page), components(schemas(Detail)))]
struct Home;

#[derive(OpenApi)]
#[openapi(paths(health::alive, health::ready))]
struct Health;

#[derive(OpenApi)]
#[openapi(paths(docs::document, docs::page), components(schemas(Detail)))]
struct Docs;

#[derive(OpenApi)]
#[openapi(paths(sessions::know), components(schemas(sessions::Noted)))]
struct Known;

fn sessions_of(site: &Site) -> openapi::OpenApi {
    let mut document = Sessions::openapi();
    if site.needs_password() {
        document.merge(Known::openapi());
    }
    document
}

fn sign_in(site: &Site) -> openapi::OpenApi {
    let mut document = SignIn::openapi();
    if site.needs_password() {
        document.merge(Confirm::openapi());
    }
    document
}

/// The document of this server: its parts, its cookie's name and its origin.
///
/// `needs_password`: whether a sign-in asks for a password.
pub(crate) fn describe(
    site: &Site,
    needs_password: bool,
    cookie: &'static str,
    public_url: Option<&PublicUrl>,
    hosts: Hosts,
) -> openapi::OpenApi {
    let parts = [
        (Part::SignIn, sign_in(site)),
        (Part::Accounts, account::document(site)),
        (Part::Sessions, sessions_of(site)),
        (Part::Home, Home::openapi()),
        (Part::Health, Health::openapi()),
        (Part::Docs, Docs::openapi()),
    ];
    let version = env!("CARGO_PKG_VERSION");
    let mut document = openapi::OpenApi::new(
        Info::new(title(site.name()).as_str(), version),
        Paths::new(),
    );
    for (_, part) in parts.into_iter().filter(|(part, _)| site.has(*part)) {
        let compose = |_: &str, path: &str| site.prefix().join(path);
        document = document.nest_with_path_composer("", part, compose);
    }
    document.servers = public_url.map(|url| vec![Server::new(url.origin())]);
    document
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                cookie,
                "Set by signing in; `HttpOnly`, so that only the browser itself sends it.",
            ))),
        );
    if !needs_password {
        login::without_password(&mut document);
    }
    for (operation, changes) in operations(&mut document) {
        complete(operation);
        let responses = &mut operation.responses.responses;
        if site.sign_in().is_none() {
            without_sign_in_page(responses, changes);
        }
        // `routes::own` refuses such a request on every route.
        if hosts == Hosts::Loopback {
            responses.extend(wrong_host());
        }
    }
    only_pages::retain(&mut document);
    document
}

/// The site's name without characters beyond U+FFFF, which the document must not have: see `docs::in_ascii`.
fn title(name: &str) -> String {
    let title: String = name.chars().filter(|c| u32::from(*c) <= 0xffff).collect();
    match title.trim() {
        "" => "Innkeeper".to_owned(),
        title => title.to_owned(),
    }
}

/// Each operation, and whether it changes something.
fn operations(document: &mut openapi::OpenApi) -> impl Iterator<Item = (&mut Operation, bool)> {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(|item| {
            [
                (&mut item.get, false),
                (&mut item.post, true),
                (&mut item.delete, true),
            ]
        })
        .filter_map(|(operation, changes)| Some((operation.as_mut()?, changes)))
}

/// Names the operation for its module too (`login_submit`: several handlers are called `submit`), and says of one that
/// asks for no session that it needs none.
fn complete(operation: &mut Operation) {
    let module = operation.tags.iter().flatten().next();
    if let (Some(module), Some(name)) = (module, &operation.operation_id) {
        operation.operation_id = Some(format!("{module}_{name}"));
    }
    operation.security.get_or_insert_default();
}
