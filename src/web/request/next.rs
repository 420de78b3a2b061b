//! The path to which a sign-in leads.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use rocket::form::{self, FromFormField, ValueField};

/// A path of this site to which a sign-in redirects: a field of a form or of a query.
///
/// Anybody can write a link to a sign-in page, with the address of another site to go on to (OWASP, unvalidated redirects).
///
/// ```
/// use innkeeper::NextPath;
/// use rocket::get;
/// use rocket::response::Redirect;
///
/// #[get("/enter?<next>")]
/// fn enter(next: Option<NextPath>) -> Redirect {
///     Redirect::to(next.map_or_else(|| "/".to_owned(), |next| next.as_str().to_owned()))
/// }
///
/// assert!(NextPath::parse("/orders?page=2").is_some());
/// assert!(NextPath::parse("//evil.example").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPath(String);

/// The most bytes of a path, as a `Location` header writes it. It also travels in the query of the sign-in's address,
/// where it may take three times as much, and many proxies refuse an answer with over 4 KiB of headers.
const MAX_BYTES: usize = 1024;

/// Encoded in a `Location` header. Not `%`: the text is encoded already.
const NOT_IN_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Encoded in a query: what would end the value, or be decoded with it.
const NOT_IN_QUERY: &AsciiSet = &NOT_IN_URI
    .add(b'%')
    .add(b'&')
    .add(b'#')
    .add(b'+')
    .add(b'=')
    .add(b'?');

impl NextPath {
    /// Takes only what every browser reads as a path on this site; `None` for anything else.
    ///
    /// `//host` and `/\host` lead to another site, and so does a text that becomes one of them when a proxy decodes it, or
    /// when a browser drops its tabs and line breaks.
    ///
    /// A path of over 1024 bytes, percent-encoded, is not taken either.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut current = text.to_owned();
        for _ in 0..8 {
            if !is_own_path(&current) {
                return None;
            }
            let decoded = percent_decode_str(&current)
                .decode_utf8()
                .ok()?
                .into_owned();
            if decoded == current {
                let encoded = utf8_percent_encode(text, NOT_IN_URI).to_string();
                return (encoded.len() <= MAX_BYTES).then_some(Self(encoded));
            }
            current = decoded;
        }
        None
    }

    /// As a `Location` header has it, percent-encoded. In HTML it is escaped as any other text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the value of a query field.
    pub(crate) fn in_query(&self) -> String {
        utf8_percent_encode(&self.0, NOT_IN_QUERY).to_string()
    }
}

fn is_own_path(text: &str) -> bool {
    text.strip_prefix('/')
        .is_some_and(|rest| !rest.starts_with(['/', '\\']))
        && !text.chars().any(char::is_control)
}

#[rocket::async_trait]
impl<'v> FromFormField<'v> for NextPath {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Self::parse(field.value).ok_or_else(|| form::Error::validation("not a path of ours").into())
    }
}

#[cfg(test)]
mod tests {
    use super::NextPath;

    #[test]
    fn a_path_of_ours_is_followed() {
        for path in [
            "/",
            "/profile/",
            "/orders?page=2&sort=a%20b",
            "/a//b",
            "/caf%C3%A9",
        ] {
            assert_eq!(
                NextPath::parse(path).as_ref().map(NextPath::as_str),
                Some(path)
            );
        }
        assert_eq!(
            NextPath::parse("/caf\u{e9} 1")
                .as_ref()
                .map(NextPath::as_str),
            Some("/caf%C3%A9%201")
        );
    }

    #[test]
    fn nothing_leads_to_another_site() {
        for elsewhere in [
            "",
            "profile",
            "//evil.example",
            "/\\evil.example",
            "/%2Fevil.example",
            "/%2f/evil.example",
            "/%5Cevil.example",
            "/%252Fevil.example",
            "/\t/evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:a=b",
            "https://evil.example/",
            "javascript:alert(1)",
            "\\\\evil.example",
            " //evil.example",
            "/%ff",
        ] {
            assert_eq!(NextPath::parse(elsewhere), None, "{elsewhere:?}");
        }
    }

    #[test]
    fn a_long_path_is_dropped() {
        let path = |length: usize| format!("/{}", "a".repeat(length - 1));
        assert!(NextPath::parse(&path(1024)).is_some());
        assert_eq!(NextPath::parse(&path(1025)), None);
        let longer_when_encoded = format!("/{}", "\u{e9}".repeat(400));
        assert_eq!(NextPath::parse(&longer_when_encoded), None);
    }

    #[test]
    fn a_path_in_a_query_comes_back_whole() {
        let next = NextPath::parse("/orders?a=1&b=%26#c").unwrap();
        let query = format!("next={}&ended=1", next.in_query());
        let back: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!(back[0].1, next.as_str());
        assert_eq!(
            NextPath::parse("/profile/").unwrap().in_query(),
            "/profile/"
        );
    }
}
