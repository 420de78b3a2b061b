//! The style sheet, the scripts and the icon, compiled in.

use std::sync::OnceLock;

use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, get, routes};
use sha2::{Digest, Sha256};

pub(super) fn routes() -> Vec<Route> {
    routes![style, script, docs_script, icon]
}

static STYLE: Asset = Asset::new(ContentType::CSS, include_str!("../../../static/style.css"));
static SCRIPT: Asset = Asset::new(
    ContentType::JavaScript,
    include_str!("../../../static/innkeeper.js"),
);
static DOCS_SCRIPT: Asset = Asset::new(
    ContentType::JavaScript,
    include_str!("../../../static/docs.js"),
);
static ICON: Asset = Asset::new(
    ContentType::SVG,
    include_str!("../../../static/favicon.svg"),
);

#[get("/style.css")]
fn style() -> &'static Asset {
    &STYLE
}

#[get("/innkeeper.js")]
fn script() -> &'static Asset {
    &SCRIPT
}

#[get("/docs.js")]
fn docs_script() -> &'static Asset {
    &DOCS_SCRIPT
}

#[get("/favicon.svg")]
fn icon() -> &'static Asset {
    &ICON
}

/// A file that browsers may keep, and ask about each time: so a new version is seen at once.
struct Asset {
    content_type: ContentType,
    text: &'static str,
    tag: OnceLock<String>,
}

impl Asset {
    const fn new(content_type: ContentType, text: &'static str) -> Self {
        Self {
            content_type,
            text,
            tag: OnceLock::new(),
        }
    }

    /// Its `ETag`, computed once.
    fn tag(&self) -> &str {
        self.tag
            .get_or_init(|| format!("\"{:x}\"", Sha256::digest(self.text)))
    }
}

impl<'r> Responder<'r, 'static> for &'static Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let tag = self.tag();
        let known = request
            .headers()
            .get("If-None-Match")
            .flat_map(|list| list.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == tag);
        let mut response = if known {
            Response::build().status(Status::NotModified).finalize()
        } else {
            (self.content_type.clone(), self.text).respond_to(request)?
        };
        response.set_raw_header("Cache-Control", "public, no-cache");
        response.set_raw_header("ETag", tag);
        Ok(response)
    }
}
