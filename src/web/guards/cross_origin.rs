//! What lets a page of another origin call us: CORS, for `trusted_origins` alone.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Method, Status};
use rocket::response::Body;
use rocket::{Request, Response, async_trait};

use crate::web::answers::methods_of_path;
use crate::web::observe::RequestRecord;
use crate::web::request::{is_for_own_host, trusted_origin};

/// What scripts may read beside the headers that the Fetch standard lets everybody read.
const EXPOSED: &str = "Retry-After, X-Request-Id";

/// In seconds. Browsers cap it at two hours or less; an origin that is not trusted any more fails all the same, because each
/// request is judged by itself.
const PREFLIGHT_MAX_AGE: &str = "600";

/// Lets scripts of trusted origins read the answers to requests that they send with the visitor's cookie (the Fetch
/// standard's CORS protocol): Innkeeper's own answers, and the application's where the session was looked up. Answers their
/// preflight requests for every path that has a route, unless the application answers `OPTIONS` there itself.
///
/// An answer that has `Access-Control-Allow-Origin` already is left alone. Attached only where origins are trusted.
pub(crate) struct CrossOrigin;

#[async_trait]
impl Fairing for CrossOrigin {
    fn info(&self) -> Info {
        Info {
            name: "Trusted origins",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if response.headers().contains("Access-Control-Allow-Origin") {
            return;
        }
        let preflight = Preflight::of(request);
        let record = RequestRecord::of(request);
        if preflight.is_none() && !record.is_own() && !record.is_session_looked_up() {
            return;
        }
        // Also on an answer to nobody that is trusted: a cache must not give that one to somebody who is.
        response.adjoin_raw_header("Vary", "Origin");
        let Some(origin) = trusted_origin(request) else {
            return;
        };
        if let Some(preflight) = preflight {
            preflight.answer(response);
        } else {
            response.set_raw_header("Access-Control-Expose-Headers", EXPOSED);
        }
        response.set_raw_header("Access-Control-Allow-Origin", origin.to_owned());
        // Not `*` for the methods and headers of a preflight: with credentials it would mean the character.
        response.set_raw_header("Access-Control-Allow-Credentials", "true");
    }
}

/// A browser's question whether a script's request may be sent.
struct Preflight<'r> {
    methods: Vec<&'static str>,
    headers: Option<&'r str>,
}

impl<'r> Preflight<'r> {
    /// `None` also where a route answers `OPTIONS`, and where the path has no route.
    fn of(request: &'r Request<'_>) -> Option<Self> {
        let headers = request.headers();
        let asks = request.method() == Method::Options
            && request.route().is_none()
            && is_for_own_host(request)
            && headers.contains("Access-Control-Request-Method");
        if !asks {
            return None;
        }
        let methods: Vec<_> = methods_of_path(request).into_iter().collect();
        (!methods.is_empty()).then(|| Self {
            methods,
            headers: headers.get_one("Access-Control-Request-Headers"),
        })
    }

    /// Takes the place of the catcher's answer.
    fn answer(self, response: &mut Response<'_>) {
        response.set_status(Status::NoContent);
        response.remove_header("Content-Type");
        *response.body_mut() = Body::default();
        response.set_raw_header("Access-Control-Allow-Methods", self.methods.join(", "));
        if let Some(headers) = self.headers {
            response.set_raw_header("Access-Control-Allow-Headers", headers.to_owned());
        }
        response.set_raw_header("Access-Control-Max-Age", PREFLIGHT_MAX_AGE);
    }
}
