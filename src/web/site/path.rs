//! A path of the site that the application chose.

use std::fmt;

/// A path that the application has chosen: the prefix of our addresses, or its own sign-in page.
///
/// It stands in pages, in `Location` headers and in Rocket's routes, and means the same in all of them: `/` and segments of
/// characters that no URI encodes (RFC 3986, 2.3). The empty text is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SitePath(String);

impl SitePath {
    /// A slash at the end does not matter.
    ///
    /// # Errors
    ///
    /// The rest of a sentence for the operator.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!("must begin with `/`, and is `{text}`"));
        };
        if path.is_empty() {
            return Ok(Self::default());
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.split('/').all(is_plain_segment) {
            return Ok(Self(format!("/{path}")));
        }
        Err(format!(
            "must be segments of the characters A-Z a-z 0-9 - . _ ~ with a `/` before each, such as `/account`, and is \
             `{text}`"
        ))
    }

    /// One of our addresses below this path.
    pub(crate) fn join(&self, address: &str) -> String {
        format!("{}{address}", self.0)
    }
}

/// Browsers resolve `.` and `..`, so neither is a segment.
fn is_plain_segment(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::SitePath;

    #[test]
    fn a_path_is_taken_with_and_without_a_slash_at_its_end() {
        for (text, path, login) in [
            ("/", "/", "/login/"),
            ("/account", "/account", "/account/login/"),
            ("/account/", "/account", "/account/login/"),
            ("/a/b-1_~.c", "/a/b-1_~.c", "/a/b-1_~.c/login/"),
        ] {
            let parsed = SitePath::parse(text).unwrap();
            assert_eq!(parsed.to_string(), path);
            assert_eq!(parsed.join("/login/"), login);
        }
    }

    #[test]
    fn what_would_mean_something_else_somewhere_is_refused() {
        for text in [
            "",
            "account",
            "//",
            "//evil.example",
            "/a//b",
            "/a//",
            "/.",
            "/a/../b",
            "/<name>",
            "/a b",
            "/a%20b",
            "/a?b",
            "/a#b",
            "/\\evil",
            "/caf\u{e9}",
            "/a\n",
            "/a\"",
            "https://example.org/",
        ] {
            let problem = SitePath::parse(text).unwrap_err();
            assert!(problem.contains(text), "{problem}");
        }
    }
}
