//! The style sheet, the scripts and the icon, compiled in.

use rocket::http::{ContentType, Method, Status};
use rocket::response::{self, Responder, Response};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route, async_trait};
use sha2::{Digest, Sha256};

macro_rules! compiled_in {
    ($name:literal, $content_type:expr) => {{
        let file = StaticFile::new(
            $content_type,
            include_str!(concat!("../../../static/", $name)),
        );
        Route::new(Method::Get, concat!("/static/innkeeper/", $name), file)
    }};
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        compiled_in!("style.css", ContentType::CSS),
        compiled_in!("innkeeper.js", ContentType::JavaScript),
        compiled_in!("docs.js", ContentType::JavaScript),
        compiled_in!("favicon.svg", ContentType::SVG),
    ]
}

/// A file that browsers may keep, but must revalidate by its `ETag` for each use: so a new version is seen at once.
#[derive(Clone)]
struct StaticFile {
    content_type: ContentType,
    text: &'static str,
    tag: String,
}

impl StaticFile {
    fn new(content_type: ContentType, text: &'static str) -> Self {
        Self {
            content_type,
            text,
            tag: format!("\"{:x}\"", Sha256::digest(text)),
        }
    }
}

impl<'r> Responder<'r, 'static> for &StaticFile {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let known = request
            .headers()
            .get("If-None-Match")
            .flat_map(|list| list.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == self.tag);
        let mut response = if known {
            Response::build().status(Status::NotModified).finalize()
        } else {
            (self.content_type.clone(), self.text).respond_to(request)?
        };
        response.set_raw_header("Cache-Control", "public, no-cache");
        response.set_raw_header("ETag", self.tag.clone());
        Ok(response)
    }
}

#[async_trait]
impl Handler for StaticFile {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::from(request, self)
    }
}
