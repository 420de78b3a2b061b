//! The `OpenAPI` document: what the handlers say of themselves, collected.

mod answers;
mod reference;
mod sign_in;

pub(super) use answers::{Ending, EndingOne, OpenToAll, Reading, SigningIn, SigningOut};
pub(super) use reference::Reference;
pub(super) use sign_in::{LoginForm, LoginRequest};

use rocket::http::ContentType;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{self, Components, Server};

use super::host::Hosts;
use super::refusal::{Detail, HTTPValidationError};
use super::routes::{docs, health, home, login, logout, profile, session, sessions};
use crate::config::PublicUrl;

/// The handlers in the order in which a reader meets them, and the bodies that their answers name.
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

/// The document, and the page that shows it; made once, managed by Rocket.
pub(super) struct Document {
    pub(super) json: String,
    pub(super) reference: Reference,
}

impl Document {
    pub(super) fn new(cookie: &'static str, public_url: Option<&PublicUrl>, hosts: Hosts) -> Self {
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
        name_operations(&mut document);
        if hosts == Hosts::Loopback {
            add_wrong_host(&mut document);
        }
        Self {
            json: serde_json::to_string(&document).unwrap_or_default(),
            reference: Reference::of(&document),
        }
    }
}

/// What [`own`](super::own_route::own) answers for every route.
fn add_wrong_host(document: &mut openapi::OpenApi) {
    let refused = answers::wrong_host();
    for operation in operations(document) {
        operation.responses.responses.extend(refused.clone());
    }
}

fn operations(document: &mut openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(|item| [&mut item.get, &mut item.post, &mut item.delete])
        .flatten()
}

/// `login_submit`, not `submit`: handlers are named for their module, operations need a name of their own.
fn name_operations(document: &mut openapi::OpenApi) {
    for operation in operations(document) {
        let subject = operation.tags.iter().flatten().next();
        if let (Some(subject), Some(name)) = (subject, &operation.operation_id) {
            operation.operation_id = Some(format!("{subject}_{name}"));
        }
    }
}

/// As the document writes it.
fn media_type(kind: &ContentType) -> String {
    format!("{}/{}", kind.top(), kind.sub())
}
