//! One static file, in all the forms that it is sent in.

use std::sync::Arc;

use rocket::http::ContentType;

use super::compressed::{Coding, Compressed};
use crate::sign_in::Digest;

/// How many hexadecimal digits of a file's hash stand in its name.
const HASH_LENGTH: usize = 16;

/// A file, known by two names: `style.css`, and `style-0123456789abcdef.css`, whose content never changes.
pub(crate) struct StaticFile {
    pub(crate) content_type: ContentType,
    name: &'static str,
    hashed_name: String,
    plain: Variant,
    compressed: Vec<Variant>,
}

/// A file's content in one content coding, or in none.
pub(crate) struct Variant {
    pub(crate) coding: Option<Coding>,
    pub(crate) content: Arc<[u8]>,
    /// A strong `ETag`, so each coding has its own.
    pub(crate) tag: String,
}

impl StaticFile {
    pub(super) fn new(name: &'static str, content_type: ContentType, text: &str) -> Self {
        let mut hash = Digest::of(text).to_string();
        hash.truncate(HASH_LENGTH);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        Self {
            content_type,
            name,
            hashed_name: format!("{stem}-{hash}.{ending}"),
            plain: Variant {
                coding: None,
                content: text.as_bytes().into(),
                tag: format!("\"{hash}\""),
            },
            compressed: Vec::new(),
        }
    }

    /// With the site's own text at its end.
    pub(super) fn compressed(
        name: &'static str,
        content_type: ContentType,
        source: &Compressed,
        more: &str,
    ) -> Self {
        let mut file = Self::new(name, content_type, &source.whole(more));
        let tag = file.plain.tag.trim_matches('"');
        let variant = |coding: Coding| Variant {
            coding: Some(coding),
            content: source.compressed(coding, more).into(),
            tag: format!("\"{tag}-{}\"", coding.name()),
        };
        file.compressed = Coding::ALL.map(variant).into();
        file
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn hashed_name(&self) -> &str {
        &self.hashed_name
    }

    /// Whether the file has, or had, this name: with any hash.
    pub(super) fn had(&self, name: &str) -> bool {
        let plain = name.rsplit_once('.').and_then(|(start, ending)| {
            let (stem, hash) = start.rsplit_once('-')?;
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            let is_hash = hash.len() == HASH_LENGTH && hash.bytes().all(is_digit);
            is_hash.then_some((stem, ending))
        });
        name == self.name || plain.is_some() && plain == self.name.rsplit_once('.')
    }

    /// Whether what is sent depends on `Accept-Encoding`.
    pub(crate) fn has_codings(&self) -> bool {
        !self.compressed.is_empty()
    }

    pub(crate) fn variant(&self, coding: Option<Coding>) -> &Variant {
        let same = |variant: &&Variant| variant.coding == coding;
        self.compressed.iter().find(same).unwrap_or(&self.plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_with_and_without_a_hash() {
        let file = StaticFile::new("style.css", ContentType::CSS, "a {}");
        // `printf 'a {}' | sha256sum`
        assert_eq!(file.hashed_name(), "style-9a4487ccbedf68e5.css");
        for name in [
            "style.css",
            file.hashed_name(),
            "style-0123456789abcdef.css",
        ] {
            assert!(file.had(name), "{name}");
        }
        for name in [
            "",
            ".",
            "style",
            "style.",
            "style.js",
            "style-.css",
            "style-0123456789abcde.css",
            "style-0123456789abcdef0.css",
            "style-0123456789ABCDEF.css",
            "style-0123456789abcdef.js",
            "style-0123456789abcdef-0123456789abcdef.css",
            "x-0123456789abcdef.css",
        ] {
            assert!(!file.had(name), "{name}");
        }
    }
}
