//! The site's own origin, and whether a request comes from it.

use rocket::Request;
use rocket::http::Method;
use url::Url;

use super::header::header_values;
use super::host::{Hosts, RequestedHost};
use crate::config::{PublicUrl, TrustedOrigin};

/// Where browsers reach the site, managed by Rocket.
pub(crate) struct PublicOrigin {
    /// As RFC 6454 serializes it; `None` without `public_url`: then it follows from the request's `Host`.
    origin: Option<String>,
    /// Whether browsers use `https`.
    pub(crate) secure: bool,
    pub(crate) hosts: Hosts,
    trusted: Vec<TrustedOrigin>,
}

impl PublicOrigin {
    /// `tls`: whether Rocket itself serves by TLS.
    pub(crate) fn new(
        public_url: Option<&PublicUrl>,
        tls: bool,
        hosts: Hosts,
        trusted: Vec<TrustedOrigin>,
    ) -> Self {
        Self {
            origin: public_url.map(|url| url.origin().to_owned()),
            secure: public_url.map_or(tls, PublicUrl::is_secure),
            hosts,
            trusted,
        }
    }

    fn trusts(&self, origin: &str) -> bool {
        self.trusted
            .iter()
            .any(|trusted| trusted.as_str() == origin)
    }

    /// Whether answers may have `Strict-Transport-Security` (RFC 6797): only where the operator has set an `https` address.
    pub(crate) fn allows_hsts(&self) -> bool {
        self.secure && self.origin.is_some()
    }

    /// `None` if the request does not name one host.
    fn for_request(&self, request: &Request<'_>) -> Option<String> {
        if self.origin.is_some() {
            return self.origin.clone();
        }
        let RequestedHost::One(host) = RequestedHost::of(request) else {
            return None;
        };
        let scheme = if self.secure { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
        Some(url.origin().ascii_serialization())
    }
}

/// Whether a request is meant for a host that is ours; in its local cache, because route and guard both ask.
struct IsForOwnHost(bool);

/// Whether the request is meant for a host that is ours.
pub(crate) fn is_for_own_host(request: &Request<'_>) -> bool {
    let origin = request.rocket().state::<PublicOrigin>();
    let is_ours = || IsForOwnHost(origin.is_none_or(|origin| origin.hosts.allow(request)));
    request.local_cache(is_ours).0
}

/// The request's `Origin`, if a page of that origin may call us (`trusted_origins`).
pub(crate) fn trusted_origin<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let ours = request.rocket().state::<PublicOrigin>()?;
    let mut origins = header_values(request, "Origin");
    match (origins.next(), origins.next()) {
        (Some(origin), None) => Some(origin).filter(|origin| ours.trusts(origin)),
        _ => None,
    }
}

/// Whether no other site can have made a browser send this request, as Go's `http.CrossOriginProtection` decides it.
pub(crate) fn is_same_origin(request: &Request<'_>) -> bool {
    if matches!(
        request.method(),
        Method::Get | Method::Head | Method::Options | Method::Trace
    ) {
        return true;
    }
    if trusted_origin(request).is_some() {
        return true;
    }
    let mut sites = header_values(request, "Sec-Fetch-Site").peekable();
    if sites.peek().is_some() {
        return sites.all(|site| matches!(site, "same-origin" | "none"));
    }
    let mut origins = header_values(request, "Origin").peekable();
    if origins.peek().is_none() {
        return true;
    }
    let ours = request.rocket().state::<PublicOrigin>();
    let ours = ours.and_then(|ours| ours.for_request(request));
    ours.is_some_and(|ours| origins.all(|origin| origin == ours))
}
