//! The settings that name origins (RFC 6454): `public_url` and `trusted_origins`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
        // In the URL standard's eyes `*` can be part of a host; to its author it was a pattern, which this is not.
        if !web || !bare || text.contains('*') {
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

/// The site in a link that is printed: `public_url`, or else where the server listens, at loopback if that is everywhere.
pub(crate) fn site_url(
    public_url: Option<&PublicUrl>,
    has_tls: bool,
    listens: SocketAddr,
) -> String {
    if let Some(url) = public_url {
        return url.origin().to_owned();
    }
    let scheme = if has_tls { "https" } else { "http" };
    let ip = match listens.ip() {
        IpAddr::V4(all) if all.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(all) if all.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(ip, listens.port()))
}

/// An origin whose pages may call Innkeeper with the visitor's cookie: scheme, host and port, as a browser writes them in
/// `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedOrigin(String);

impl TrustedOrigin {
    /// Exact: without wildcards, and only in the form that browsers send, so that what is set is what is compared.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = PublicUrl::parse(text).map_err(|_| {
            format!("must be origins like https://app.example.org, and has `{text}`")
        })?;
        if url.origin != text {
            return Err(format!(
                "has `{text}`, which browsers write as `{}`",
                url.origin
            ));
        }
        Ok(Self(url.origin))
    }

    /// As a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its pages can have been changed on their way: everything but `https`, and this machine itself.
    pub(crate) fn is_in_clear_text(&self) -> bool {
        PublicUrl::parse(&self.0).is_ok_and(|url| !url.secure && !url.loopback)
    }
}
