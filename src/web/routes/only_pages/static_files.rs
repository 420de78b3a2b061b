//! The style sheet, the scripts and the icon, compiled in.

use std::borrow::Cow;
use std::sync::Arc;

use rocket::http::{ContentType, Method, Status};
use rocket::response::{self, Responder, Response};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route, async_trait};

use crate::config::{Accent, Shades};
use crate::sign_in::Digest;

/// The contents of a file in `static/`, compiled in.
macro_rules! compiled_in {
    ($name:literal) => {
        include_str!(concat!("../../../../static/", $name))
    };
}

pub(crate) fn routes(accent: &Accent) -> Vec<Route> {
    let route = |name: &str, content_type, text| {
        let path = format!("/static/innkeeper/{name}");
        Route::new(Method::Get, &path, StaticFile::new(content_type, text))
    };
    let style = style_sheet(accent);
    let icon = icon(accent);
    vec![
        route("style.css", ContentType::CSS, style),
        route(
            "innkeeper.js",
            ContentType::JavaScript,
            compiled_in!("innkeeper.js").into(),
        ),
        route(
            "docs.js",
            ContentType::JavaScript,
            compiled_in!("docs.js").into(),
        ),
        route("favicon.svg", ContentType::SVG, icon),
    ]
}

/// With the site's accent in place of ours. In the file, because pages have no styles of their own: their
/// `Content-Security-Policy` forbids them.
fn style_sheet(accent: &Accent) -> Cow<'static, str> {
    let ours = compiled_in!("style.css");
    let rule = |shades: Shades| {
        let Shades {
            accent,
            hover,
            text,
        } = shades;
        format!(":root {{ --accent: {accent}; --accent-deep: {hover}; --on-accent: {text}; }}\n")
    };
    let light = accent.light.map(|light| format!("\n{}", rule(light)));
    let dark = accent.dark.map(|dark| {
        let rule = rule(dark);
        format!("\n@media (prefers-color-scheme: dark) {{\n  {rule}}}\n")
    });
    let own: String = light.into_iter().chain(dark).collect();
    if own.is_empty() {
        ours.into()
    } else {
        format!("{ours}{own}").into()
    }
}

/// In the colours of a button.
fn icon(accent: &Accent) -> Cow<'static, str> {
    let ours = compiled_in!("favicon.svg");
    match accent.light {
        None => ours.into(),
        Some(Shades { accent, text, .. }) => ours
            .replace("#8a3d1f", &accent.to_string())
            .replace("#fff3e0", &text.to_string())
            .into(),
    }
}

/// A file that browsers may keep, but must revalidate by its `ETag` for each use: so a new version is seen at once.
#[derive(Clone)]
struct StaticFile {
    content_type: ContentType,
    text: Arc<str>,
    tag: String,
}

impl StaticFile {
    fn new(content_type: ContentType, text: Cow<'static, str>) -> Self {
        Self {
            content_type,
            tag: format!("\"{}\"", Digest::of(&text)),
            text: text.into(),
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
            (self.content_type.clone(), Arc::clone(&self.text)).respond_to(request)?
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
