//! The setting `public_url`.

use url::Url;

use super::host::is_loopback;

/// The address that people type: its origin (RFC 6454), and whether it is `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    secure: bool,
    loopback: bool,
}

impl PublicUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let problem = "must be an address like https://example.org, without a path";
        let url = Url::parse(text).map_err(|_| problem)?;
        let web = matches!(url.scheme(), "http" | "https");
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !web || !bare {
            return Err(problem);
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            secure: url.scheme() == "https",
            loopback: url.host_str().is_some_and(is_loopback),
        })
    }

    /// Scheme, host and port as a browser writes them in `Origin`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether browsers reach the site by `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether only browsers on this machine reach the site by it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}
