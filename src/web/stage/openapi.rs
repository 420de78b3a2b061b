//! The `OpenAPI` document of all handlers.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{self, Components, Server};

use crate::config::PublicUrl;
use crate::web::answers::{Detail, HTTPValidationError, wrong_host};
use crate::web::request::Hosts;
use crate::web::routes::{docs, health, home, login, logout, profile, session, sessions};

/// The handlers, in the order of the page, and the schemas that their answers name.
#[derive(OpenApi)]
#[openapi(
    info(title = "Innkeeper"),
    paths(
        login::submit,
        profile::page,
        logout::submit,
        session::read,
        sessions::page,
        sessions::end_all,
        sessions::end_others,
        sessions::end_one,
        sessions::submit_end_all,
        sessions::submit_end_others,
        sessions::submit_end_one,
        home::page,
        login::page,
        logout::page,
        health::alive,
        health::ready,
        docs::document,
        docs::page,
    ),
    components(schemas(
        Detail,
        HTTPValidationError,
        login::LoggedIn,
        profile::Profile,
        logout::LoggedOut,
        sessions::SessionList,
        sessions::EndedOne,
        sessions::EndedSeveral,
    ))
)]
struct Handlers;

/// The document of this server: its handlers, its cookie's name and its origin.
pub(crate) fn describe(
    cookie: &'static str,
    public_url: Option<&PublicUrl>,
    hosts: Hosts,
) -> openapi::OpenApi {
    let mut document = Handlers::openapi();
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
    for operation in operations(&mut document) {
        complete(operation);
        // `routes::own` refuses such a request on every route.
        if hosts == Hosts::Loopback {
            operation.responses.responses.extend(wrong_host());
        }
    }
    document
}

fn operations(document: &mut openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(|item| [&mut item.get, &mut item.post, &mut item.delete])
        .flatten()
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
