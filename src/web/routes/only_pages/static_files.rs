//! The style sheet, the scripts and the icon, below `/static/innkeeper/`.

use std::io::Cursor;
use std::sync::Arc;

use rocket::http::{Method, Status};
use rocket::response::{self, Responder, Response};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route, async_trait};

use super::accept_encoding::preferred;
use crate::web::static_files::{Found, StaticFiles};

/// A year, as long as caches keep anything; they do not ask again, not even when the page is loaded anew (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// To be revalidated by the `ETag` for each use.
const REVALIDATED: &str = "public, no-cache";

pub(crate) fn routes(files: &StaticFiles) -> Vec<Route> {
    let path = "/static/innkeeper/<file>";
    vec![Route::new(Method::Get, path, Files(files.clone()))]
}

#[derive(Clone)]
struct Files(StaticFiles);

#[async_trait]
impl Handler for Files {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        // The last segment.
        let name = request.param::<&str>(2).and_then(Result::ok);
        match name.and_then(|name| self.0.find(name)) {
            Some(found) => Outcome::from(request, found),
            None => Outcome::forward(data, Status::NotFound),
        }
    }
}

/// A name without a hash, and one with a hash of another version, is answered by the file as it is now, to be revalidated:
/// while instances are updated one after the other, a page of one asks the next for its files. Refused, it would have no
/// style; kept, it would have the wrong one.
impl<'r> Responder<'r, 'static> for Found<'_> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let headers = request.headers();
        let variant = self.file.variant(preferred(headers));
        let known = headers
            .get("If-None-Match")
            .flat_map(|list| list.split(','))
            .map(|known| known.trim().trim_start_matches("W/"))
            .any(|known| known == variant.tag || known == "*");
        let mut response = Response::new();
        if known {
            response.set_status(Status::NotModified);
        } else {
            response.set_header(self.file.content_type.clone());
            if let Some(coding) = variant.coding {
                response.set_raw_header("Content-Encoding", coding.name());
            }
            let content = Arc::clone(&variant.content);
            response.set_sized_body(content.len(), Cursor::new(content));
        }
        if self.file.has_codings() {
            response.set_raw_header("Vary", "Accept-Encoding");
        }
        let lifetime = if self.is_immutable {
            IMMUTABLE
        } else {
            REVALIDATED
        };
        response.set_raw_header("Cache-Control", lifetime);
        response.set_raw_header("ETag", variant.tag.clone());
        Ok(response)
    }
}
