//! The addresses described: as an `OpenAPI` document, and as a page.

mod reference;

use std::fmt::Write;

use rocket::http::ContentType;
use rocket::{State, get};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::web::answers::HtmlPage;

/// The document and the page that shows it, both made at the launch; managed by Rocket.
pub(crate) struct Document {
    json: String,
    view: Value,
}

impl Document {
    pub(crate) fn new(document: &OpenApi) -> Self {
        Self {
            json: in_ascii(&serde_json::to_string(document).unwrap_or_default()),
            view: reference::view(document),
        }
    }
}

/// Describes all this as `OpenAPI` 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "This document.", body = Object))
)]
#[get("/openapi.json")]
pub(crate) fn document(document: &State<Document>) -> (ContentType, &str) {
    (ContentType::JSON, &document.inner().json)
}

/// Shows the document as a page, where each address can be tried.
#[utoipa::path(get, path = "/docs", responses(HtmlPage<Value>))]
#[get("/docs")]
pub(crate) fn page(document: &State<Document>) -> HtmlPage<&Value> {
    HtmlPage {
        template: "docs",
        view: &document.inner().view,
    }
}

/// Escapes every character of the JSON that is not printable ASCII.
///
/// Many tools read the document as YAML, which refuses some characters that JSON allows as they are (U+007F, say).
/// Only strings hold such characters. None may lie beyond U+FFFF: JSON escapes those as surrogate pairs, which YAML does
/// not know.
fn in_ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
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
