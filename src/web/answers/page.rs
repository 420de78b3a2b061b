//! Answers in HTML or in JSON.

use std::io::Cursor;

use rocket::Request;
use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder, Response};
use serde::Serialize;

use super::templates::render;
use crate::web::request::Format;

/// A page for people, the same in JSON for programs.
///
/// The two have different contents, because the contract fixes every name in the body, and some of it (the session's id)
/// must not be in a page. Only the one that is asked for is built.
pub(crate) enum Page<V, B> {
    /// With the template's name.
    Html(&'static str, V),
    Json(B),
}

impl<V, B> Page<V, B> {
    pub(crate) fn new(
        format: Format,
        template: &'static str,
        view: impl FnOnce() -> V,
        body: impl FnOnce() -> B,
    ) -> Self {
        match format {
            Format::Html => Self::Html(template, view()),
            Format::Json => Self::Json(body()),
        }
    }
}

impl<'r, V: Serialize, B: Serialize> Responder<'r, 'static> for Page<V, B> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::Html(template, view) => html(request, Status::Ok, template, view),
            Self::Json(body) => json(Status::Ok, &body),
        }
    }
}

/// A page, in HTML whatever the request prefers.
pub(crate) struct HtmlPage<V> {
    pub(crate) template: &'static str,
    pub(crate) view: V,
}

impl<'r, V: Serialize> Responder<'r, 'static> for HtmlPage<V> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        render(request, Status::Ok, self.template, self.view)
    }
}

pub(crate) fn answer(
    request: &Request<'_>,
    status: Status,
    template: &'static str,
    view: impl Serialize,
    body: &impl Serialize,
) -> response::Result<'static> {
    match Format::of(request) {
        Format::Html => html(request, status, template, view),
        Format::Json => json(status, body),
    }
}

pub(crate) fn html(
    request: &Request<'_>,
    status: Status,
    template: &'static str,
    view: impl Serialize,
) -> response::Result<'static> {
    let mut response = render(request, status, template, view)?;
    response.set_raw_header("Vary", "Accept");
    Ok(response)
}

pub(crate) fn json(status: Status, body: &impl Serialize) -> response::Result<'static> {
    let text = serde_json::to_string(body).map_err(|_| Status::InternalServerError)?;
    Response::build()
        .status(status)
        .header(ContentType::JSON)
        .raw_header("Vary", "Accept")
        .sized_body(text.len(), Cursor::new(text))
        .ok()
}
