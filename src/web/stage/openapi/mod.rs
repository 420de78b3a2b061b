//! The `OpenAPI` document: what the handlers say of themselves, collected.

mod answers;
mod reference;
mod sign_in;

pub(in crate::web) use answers::{
    EndOneResponses, EndResponses, PublicResponses, ReadResponses, SignInResponses,
    SignOutResponses,
};
pub(in crate::web) use reference::Reference;
pub(in crate::web) use sign_in::{LoginForm, LoginRequest};

use std::fmt::Write;

use rocket::http::ContentType;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{self, Components, Server};

use crate::config::PublicUrl;
use crate::web::answers::refusal::{Detail, HTTPValidationError};
use crate::web::guards::host::Hosts;
use crate::web::routes::{docs, health, home, login, logout, profile, session, sessions};

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
pub(in crate::web) struct Document {
    pub(in crate::web) json: String,
    pub(in crate::web) reference: Reference,
}

impl Document {
    pub(in crate::web) fn new(
        cookie: &'static str,
        public_url: Option<&PublicUrl>,
        hosts: Hosts,
    ) -> Self {
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
        complete_operations(&mut document);
        if hosts == Hosts::Loopback {
            add_wrong_host(&mut document);
        }
        Self {
            json: in_ascii(&serde_json::to_string(&document).unwrap_or_default()),
            reference: Reference::of(&document),
        }
    }
}

/// What [`own`](crate::web::stage::own_route::own) answers for every route.
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

/// Gives each operation a name of its own (`login_submit`, not `submit`: handlers are named for their module), and
/// says of those that ask for no session that they do not.
fn complete_operations(document: &mut openapi::OpenApi) {
    for operation in operations(document) {
        let subject = operation.tags.iter().flatten().next();
        if let (Some(subject), Some(name)) = (subject, &operation.operation_id) {
            operation.operation_id = Some(format!("{subject}_{name}"));
        }
        operation.security.get_or_insert_default();
    }
}

/// The same JSON, with an escape for each character that is not printable ASCII.
///
/// Many tools read the document as YAML, which refuses some characters that JSON allows as they are (U+007F, say).
/// Only strings hold such characters. What lies beyond the first plane should not be in the document at all: JSON has
/// only surrogates' escapes for it, which YAML does not know.
fn in_ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // To a string this cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// As the document writes it.
fn media_type(kind: &ContentType) -> String {
    format!("{}/{}", kind.top(), kind.sub())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_beyond_printable_ascii_is_escaped() {
        let text = "Zo\u{eb} \u{7f}\u{2028}\u{1f600} \\ \" ~";
        let json = serde_json::to_string(text).unwrap();
        let escaped = in_ascii(&json);
        assert_eq!(escaped, r#""Zo\u00eb \u007f\u2028\ud83d\ude00 \\ \" ~""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }
}
