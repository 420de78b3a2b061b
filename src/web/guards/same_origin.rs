//! The defence against requests that another site makes a browser send (CSRF).

use rocket::http::Method;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};
use url::Url;

use crate::config::PublicUrl;
use crate::web::answers::refusal::Refusal;
use crate::web::guards::host::{Hosts, Named, named};

/// Proof that no other site made the browser send this request: a request guard for unsafe methods.
///
/// [`CurrentSession`](crate::web::CurrentSession) includes it; a handler that changes something without asking for
/// the session takes it by itself.
///
/// The algorithm is that of Go's `http.CrossOriginProtection` (OWASP CSRF cheat sheet, Fetch Metadata).
/// `Sec-Fetch-Site` decides where it is present: `same-origin` and `none` pass. Else `Origin` must be our own, with
/// scheme and port. With neither header the request is no browser's, and passes. Safe methods always pass.
///
/// Any method is refused with 421 where it is meant for another host: without `public_url`, and where the application
/// listens on a loopback address, `Host` must be one too, or `localhost`. Else a page of any name that resolves to that
/// address would be of our own site (DNS rebinding).
#[derive(Clone, Copy, Debug)]
pub struct SameOrigin(());

/// Where the site is, managed by Rocket.
pub(in crate::web) struct Site {
    public_url: Option<PublicUrl>,
    /// Of the connection.
    scheme: &'static str,
}

impl Site {
    pub(in crate::web) fn new(public_url: Option<PublicUrl>, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        Self { public_url, scheme }
    }

    /// Our origin; `None` where the request does not say which host it was sent to.
    fn origin(&self, request: &Request<'_>) -> Option<String> {
        if let Some(public_url) = &self.public_url {
            return Some(public_url.origin().to_owned());
        }
        let Named::One(host) = named(request) else {
            return None;
        };
        let url = Url::parse(&format!("{}://{host}", self.scheme)).ok()?;
        Some(url.origin().ascii_serialization())
    }
}

impl SameOrigin {
    pub(in crate::web) fn check(request: &Request<'_>) -> Result<Self, Refusal> {
        Hosts::check(request)?;
        let safe = matches!(
            request.method(),
            Method::Get | Method::Head | Method::Options | Method::Trace
        );
        if safe || is_same_origin(request) {
            Ok(Self(()))
        } else {
            Err(Refusal::CrossSite)
        }
    }
}

fn is_same_origin(request: &Request<'_>) -> bool {
    let headers = request.headers();
    if headers.contains("Sec-Fetch-Site") {
        return headers
            .get("Sec-Fetch-Site")
            .all(|site| matches!(site, "same-origin" | "none"));
    }
    if !headers.contains("Origin") {
        return true;
    }
    let ours = request
        .rocket()
        .state::<Site>()
        .and_then(|site| site.origin(request));
    ours.is_some_and(|ours| headers.get("Origin").all(|origin| origin == ours))
}

#[async_trait]
impl<'r> FromRequest<'r> for SameOrigin {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match Self::check(request) {
            Ok(proof) => Outcome::Success(proof),
            Err(refusal) => refusal.stop(request),
        }
    }
}
