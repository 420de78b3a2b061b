//! The defence against requests that another site makes a browser send (CSRF).

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::web::answers::Refusal;
use crate::web::request::{is_for_own_host, is_same_origin};

/// Proof that no other site made the browser send this request: a request guard for unsafe methods.
///
/// [`CurrentSession`](crate::web::CurrentSession) includes it; a handler that changes something without asking for
/// the session takes it by itself.
///
/// The algorithm is that of Go's `http.CrossOriginProtection` (OWASP CSRF cheat sheet, Fetch Metadata).
/// `Sec-Fetch-Site` decides where it is present: `same-origin` and `none` pass. Otherwise `Origin` must be our own,
/// with scheme and port. An origin of `trusted_origins` passes too. A request with neither header does not come from a browser, and passes. Safe methods always pass.
///
/// Any method is refused with 421 where it is meant for another host: without `public_url`, and where the application
/// listens on a loopback address, `Host` must be one too, or `localhost`. Otherwise a page whose name resolves to that
/// address would have our own origin (DNS rebinding).
#[derive(Clone, Copy, Debug)]
pub struct SameOrigin(());

impl SameOrigin {
    pub(crate) fn check(request: &Request<'_>) -> Result<Self, Refusal> {
        if !is_for_own_host(request) {
            Err(Refusal::WrongHost)
        } else if is_same_origin(request) {
            Ok(Self(()))
        } else {
            Err(Refusal::CrossSite)
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for SameOrigin {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match Self::check(request) {
            Ok(proof) => Outcome::Success(proof),
            Err(refusal) => refusal.reject(request),
        }
    }
}
