//! What there is to ask for: as an `OpenAPI` document, and as a page.

use rocket::http::ContentType;
use rocket::{State, get};

use crate::web::answers::page::HtmlPage;
use crate::web::stage::openapi::{Document, Reference};

/// Describes all this as `OpenAPI` 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "This document.", body = Object))
)]
#[get("/openapi.json")]
pub(in crate::web) fn document(document: &State<Document>) -> (ContentType, &str) {
    (ContentType::JSON, &document.inner().json)
}

/// Shows the document as a page, where each address can be tried.
#[utoipa::path(get, path = "/docs", responses(HtmlPage<Reference>))]
#[get("/docs")]
pub(in crate::web) fn page(document: &State<Document>) -> HtmlPage<&Reference> {
    HtmlPage {
        template: "docs",
        view: &document.inner().reference,
    }
}
