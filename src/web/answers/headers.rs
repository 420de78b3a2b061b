//! The security headers.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Request, Response, async_trait};

use crate::web::observe::{Readiness, RequestRecord};
use crate::web::request::PublicOrigin;

type Entry = (&'static str, &'static str);

/// Headers of every answer of ours (OWASP Secure Headers Project and REST Security cheat sheet).
const EVERYWHERE: [Entry; 3] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

/// Further headers of a page.
const PAGE: [Entry; 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Further headers of JSON, redirects and files.
const NO_PAGE: [Entry; 1] = [(
    "Content-Security-Policy",
    "default-src 'none'; frame-ancestors 'none'",
)];

/// What Rocket's `Shield` sets by default: ours replace it, because they are stricter and the application did not choose it.
const SHIELD_DEFAULTS: [Entry; 2] = [
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Permissions-Policy", "interest-cohort=()"),
];

const NO_STORE: Entry = ("Cache-Control", "no-store");

/// One year; browsers then refuse to reach the site without TLS (RFC 6797).
const HSTS: Entry = ("Strict-Transport-Security", "max-age=31536000");

/// Sets the headers that the answer does not have yet. For the fairing, and for the catcher of a request that Rocket cannot
/// parse (an unknown method, say), which no fairing sees.
pub(crate) fn set_security_headers(request: &Request<'_>, response: &mut Response<'_>) {
    let Some(origin) = request.rocket().state::<PublicOrigin>() else {
        return;
    };
    let is_page = response.content_type().is_some_and(|kind| kind.is_html());
    let special: &[Entry] = if is_page { &PAGE } else { &NO_PAGE };
    let hsts = origin.allows_hsts().then_some(HSTS);
    let ours = || {
        let always = EVERYWHERE.iter().chain(special).copied();
        always.chain([NO_STORE]).chain(hsts)
    };
    // Compared one by one: an answer has few headers so far, and looking one up by its name costs more.
    let mut present = [false; EVERYWHERE.len() + PAGE.len() + 2];
    let mut server = false;
    for header in response.headers().iter() {
        let name = header.name();
        server |= name == "Server";
        let is_default = |entry: &Entry| name == entry.0 && header.value() == entry.1;
        if SHIELD_DEFAULTS.iter().any(is_default) {
            continue;
        }
        for ((ours, _), present) in ours().zip(&mut present) {
            *present |= name == ours;
        }
    }
    for ((name, value), present) in ours().zip(present) {
        if !present {
            response.set_raw_header(name, value);
        }
    }
    if server {
        response.remove_header("Server");
    }
}

/// Sets the security headers on our own answers. On an application's it sets only `Cache-Control: no-store` where a guard has
/// looked for the session; and on every answer `Connection: close` while draining.
pub(crate) struct SecurityHeaders;

#[async_trait]
impl Fairing for SecurityHeaders {
    fn info(&self) -> Info {
        Info {
            name: "Security headers",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let readiness = request.rocket().state::<Readiness>();
        if readiness.is_some_and(Readiness::is_draining) {
            // The next request on this connection would find no server.
            response.set_raw_header("Connection", "close");
        }
        let record = RequestRecord::of(request);
        if record.is_own() {
            set_security_headers(request, response);
        } else if record.is_session_looked_up() && !response.headers().contains(NO_STORE.0) {
            // The next request may come with another session, or with none.
            response.set_raw_header(NO_STORE.0, NO_STORE.1);
        }
    }
}
