//! All static files, compiled in, in the site's own colours.

use std::borrow::Cow;
use std::sync::Arc;

use rocket::http::ContentType;

use super::compressed::Compressed;
use super::file::StaticFile;
use crate::config::{Accent, Shades};

/// A file that `static/build.rs` has compressed.
macro_rules! compressed {
    ($name:literal) => {
        Compressed {
            text: include_str!(concat!(env!("OUT_DIR"), "/", $name)),
            brotli: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".br")),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        }
    };
}

const STYLE: Compressed = compressed!("style.css");
const SCRIPT: Compressed = compressed!("innkeeper.js");
const DOCS_SCRIPT: Compressed = compressed!("docs.js");
const ICON: &str = include_str!("../../../static/favicon.svg");

/// The style sheet, the scripts and the icon.
#[derive(Clone)]
pub(crate) struct StaticFiles(Arc<[StaticFile]>);

/// A file that a name belongs to.
pub(crate) struct Found<'f> {
    pub(crate) file: &'f StaticFile,
    /// Whether the name has the hash of the file's content, and can never have another one.
    pub(crate) is_immutable: bool,
}

impl StaticFiles {
    pub(crate) fn new(accent: &Accent) -> Self {
        let own = own_colors(accent);
        let script =
            |name, source| StaticFile::compressed(name, ContentType::JavaScript, source, "");
        Self(Arc::new([
            StaticFile::compressed("style.css", ContentType::CSS, &STYLE, &own),
            script("innkeeper.js", &SCRIPT),
            script("docs.js", &DOCS_SCRIPT),
            StaticFile::new("favicon.svg", ContentType::SVG, &icon(accent)),
        ]))
    }

    /// The address of a file, which changes with its content.
    pub(crate) fn address(&self, name: &str) -> Option<String> {
        let file = self.0.iter().find(|file| file.name() == name)?;
        Some(format!("/static/innkeeper/{}", file.hashed_name()))
    }

    /// `None` where no file has, or had, this name.
    pub(crate) fn find(&self, name: &str) -> Option<Found<'_>> {
        let file = self.0.iter().find(|file| file.had(name))?;
        Some(Found {
            file,
            is_immutable: name == file.hashed_name(),
        })
    }
}

/// The site's accent in place of ours. In the style sheet, because pages have no styles of their own: their
/// `Content-Security-Policy` forbids them.
fn own_colors(accent: &Accent) -> String {
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
    light.into_iter().chain(dark).collect()
}

/// In the colours of a button.
fn icon(accent: &Accent) -> Cow<'static, str> {
    match accent.light {
        None => ICON.into(),
        Some(Shades { accent, text, .. }) => ICON
            .replace("#8a3d1f", &accent.to_string())
            .replace("#fff3e0", &text.to_string())
            .into(),
    }
}
