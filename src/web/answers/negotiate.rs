//! HTML or JSON: which one a request is answered in, and the answers that come in both.

use std::convert::Infallible;
use std::io::Cursor;
use std::str::FromStr;

use rocket::http::{Accept, ContentType, Cookie, MediaType, QMediaType, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder, Response};
use rocket::{Request, async_trait};
use serde::Serialize;

use crate::web::answers::page::render;

/// The most bytes of `Accept`, in all its lines, that are parsed; browsers send 200.
///
/// Rocket's parser gives each media range that it finds a copy of the whole line, so its memory grows with the square
/// of the line: one of 360 KB, which the server takes, would need 23 GB.
const MAX_ACCEPT: usize = 1024;

/// The two forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Format {
    Html,
    Json,
}

impl Format {
    /// HTML for a posted form, and where `Accept` prefers `text/html` to `application/json`; else JSON.
    pub(in crate::web) fn of(request: &Request<'_>) -> Self {
        let form = request
            .content_type()
            .is_some_and(|declared| declared.is_form());
        if form && request.method().supports_payload() {
            return Self::Html;
        }
        // Rocket's own `accept()` reads only the first line of several.
        let lines: Vec<_> = request.headers().get("Accept").collect();
        // What most programs say, or mean by saying nothing.
        if let [] | ["*/*" | "application/json"] = lines[..] {
            return Self::Json;
        }
        // Counts as `*/*`.
        if lines.iter().map(|line| line.len()).sum::<usize>() > MAX_ACCEPT {
            return Self::Json;
        }
        let lines: Vec<_> = lines
            .into_iter()
            .filter_map(|line| Accept::from_str(line).ok())
            .collect();
        let ranges: Vec<_> = lines.iter().flat_map(Accept::iter).collect();
        let html = preference(&ranges, &MediaType::HTML);
        let json = preference(&ranges, &MediaType::JSON);
        if html > json { Self::Html } else { Self::Json }
    }
}

/// How much a client wants a type: by weight, then by how exactly it was named, then by its place in the list
/// (RFC 9110, 12.5.1; the place is our tie-break). `None`: not at all.
fn preference(ranges: &[&QMediaType], wanted: &MediaType) -> Option<(u32, usize, usize)> {
    let (place, range) = ranges
        .iter()
        .enumerate()
        .filter(|(_, range)| {
            (range.top() == "*" || range.top() == wanted.top())
                && (range.sub() == "*" || range.sub() == wanted.sub())
        })
        .max_by_key(|(place, range)| (exactness(range), usize::MAX - place))?;
    let weight = (range.weight_or(1.0).clamp(0.0, 1.0) * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a weight has three digits and lies between 0 and 1"
    )]
    let weight = weight as u32;
    (weight > 0).then(|| (weight, exactness(range), usize::MAX - place))
}

fn exactness(range: &MediaType) -> usize {
    usize::from(range.top() != "*") + usize::from(range.sub() != "*")
}

#[async_trait]
impl<'r> FromRequest<'r> for Format {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}

/// A page for people, the same in JSON for programs.
///
/// What the template prints and what the program reads differ, because the contract fixes every name in the body,
/// and some of it (the session's id) must not stand in a page. Only the one that is asked for is made.
pub(in crate::web) enum Page<V, B> {
    /// By this template.
    Html(&'static str, V),
    Json(B),
}

impl<V, B> Page<V, B> {
    pub(in crate::web) fn new(
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

/// After a change: a redirect for people, 200 and a body for programs.
pub(in crate::web) struct SeeOther<B> {
    pub(in crate::web) location: String,
    pub(in crate::web) body: B,
    /// The session cookie, set or removed.
    pub(in crate::web) cookie: Option<Cookie<'static>>,
}

impl<'r, B: Serialize> Responder<'r, 'static> for SeeOther<B> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = match Format::of(request) {
            Format::Html => see_other(&self.location),
            Format::Json => json(Status::Ok, &self.body)?,
        };
        if let Some(cookie) = &self.cookie {
            response.adjoin_header(cookie);
        }
        Ok(response)
    }
}

pub(in crate::web) fn answer(
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

fn html(
    request: &Request<'_>,
    status: Status,
    template: &'static str,
    view: impl Serialize,
) -> response::Result<'static> {
    let mut response = render(request, status, template, view)?;
    response.set_raw_header("Vary", "Accept");
    Ok(response)
}

/// 303 with `Vary`: only where the same address answers programs differently.
pub(in crate::web) fn see_other(location: &str) -> Response<'static> {
    Response::build()
        .status(Status::SeeOther)
        .raw_header("Location", location.to_owned())
        .raw_header("Vary", "Accept")
        .finalize()
}

fn json(status: Status, body: &impl Serialize) -> response::Result<'static> {
    let text = serde_json::to_string(body).map_err(|_| Status::InternalServerError)?;
    Response::build()
        .status(status)
        .header(ContentType::JSON)
        .raw_header("Vary", "Accept")
        .sized_body(text.len(), Cursor::new(text))
        .ok()
}
