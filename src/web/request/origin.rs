//! The site's own origin, and whether a request comes from it.

use rocket::Request;
use rocket::http::Method;
use url::Url;

use super::host::{Hosts, Named, named};
use crate::config::PublicUrl;

/// Where browsers reach the site, managed by Rocket.
pub(crate) struct PublicOrigin {
    /// As RFC 6454 serializes it; `None` without `public_url`: then the request's `Host` tells it.
    origin: Option<String>,
    /// Whether browsers use `https`.
    pub(crate) secure: bool,
    pub(crate) hosts: Hosts,
}

impl PublicOrigin {
    /// `tls`: whether the connections are Rocket's own TLS.
    pub(crate) fn new(public_url: Option<&PublicUrl>, tls: bool, hosts: Hosts) -> Self {
        Self {
            origin: public_url.map(|url| url.origin().to_owned()),
            secure: public_url.map_or(tls, PublicUrl::is_secure),
            hosts,
        }
    }

    /// Whether browsers may be told never to use `http` again (RFC 6797): only where the operator says that they use
    /// `https`.
    pub(crate) fn allows_hsts(&self) -> bool {
        self.secure && self.origin.is_some()
    }

    /// `None`: the request does not say which host it was sent to.
    fn of(&self, request: &Request<'_>) -> Option<String> {
        if self.origin.is_some() {
            return self.origin.clone();
        }
        let Named::One(host) = named(request) else {
            return None;
        };
        let scheme = if self.secure { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
        Some(url.origin().ascii_serialization())
    }
}

/// Whether the request is meant for a host that is ours.
pub(crate) fn is_for_own_host(request: &Request<'_>) -> bool {
    let site = request.rocket().state::<PublicOrigin>();
    site.is_none_or(|site| site.hosts.include(request))
}

/// Whether no other site can have made a browser send this request, as Go's `http.CrossOriginProtection` decides it.
pub(crate) fn is_same_origin(request: &Request<'_>) -> bool {
    if matches!(
        request.method(),
        Method::Get | Method::Head | Method::Options | Method::Trace
    ) {
        return true;
    }
    let headers = request.headers();
    if headers.contains("Sec-Fetch-Site") {
        return headers
            .get("Sec-Fetch-Site")
            .all(|site| matches!(site, "same-origin" | "none"));
    }
    if !headers.contains("Origin") {
        return true;
    }
    let site = request.rocket().state::<PublicOrigin>();
    let ours = site.and_then(|site| site.of(request));
    ours.is_some_and(|ours| headers.get("Origin").all(|origin| origin == ours))
}
