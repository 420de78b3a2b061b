//! The style sheet, the scripts and the icon, compiled in.

use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, get, routes};
use sha2::{Digest, Sha256};

pub(super) fn routes() -> Vec<Route> {
    routes![style, script, docs_script, icon]
}

#[get("/style.css")]
fn style() -> Asset {
    Asset(ContentType::CSS, include_str!("../../static/style.css"))
}

#[get("/innkeeper.js")]
fn script() -> Asset {
    Asset(
        ContentType::JavaScript,
        include_str!("../../static/innkeeper.js"),
    )
}

#[get("/docs.js")]
fn docs_script() -> Asset {
    Asset(
        ContentType::JavaScript,
        include_str!("../../static/docs.js"),
    )
}

#[get("/favicon.svg")]
fn icon() -> Asset {
    Asset(ContentType::SVG, include_str!("../../static/favicon.svg"))
}

/// A file that browsers may keep, and ask about each time: so a new version is seen at once.
struct Asset(ContentType, &'static str);

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let digest = Sha256::digest(self.1);
        let tag = format!("\"{digest:x}\"");
        let known = request
            .headers()
            .get("If-None-Match")
            .flat_map(|list| list.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == tag);
        let mut response = if known {
            Response::build().status(Status::NotModified).finalize()
        } else {
            (self.0, self.1).respond_to(request)?
        };
        response.set_raw_header("Cache-Control", "public, no-cache");
        response.set_raw_header("ETag", tag);
        Ok(response)
    }
}
