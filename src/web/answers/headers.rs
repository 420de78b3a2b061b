//! The security headers.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Request, Response, async_trait};

use crate::web::observe::{Readiness, RequestRecord};
use crate::web::request::PublicOrigin;

/// A header of ours, and its value on a page and on any other answer (JSON, a redirect, a file); `None`: it has none there.
struct Line {
    name: &'static str,
    on_page: Option<&'static str>,
    elsewhere: Option<&'static str>,
}

const fn everywhere(name: &'static str, value: &'static str) -> Line {
    Line {
        name,
        on_page: Some(value),
        elsewhere: Some(value),
    }
}

const fn on_page(name: &'static str, value: &'static str) -> Line {
    Line {
        name,
        on_page: Some(value),
        elsewhere: None,
    }
}

/// OWASP Secure Headers Project and REST Security cheat sheet.
const LINES: [Line; 9] = [
    everywhere("X-Content-Type-Options", "nosniff"),
    everywhere("X-Frame-Options", "DENY"),
    everywhere("Cross-Origin-Resource-Policy", "same-origin"),
    everywhere(CACHE_CONTROL, NO_STORE),
    Line {
        name: "Content-Security-Policy",
        on_page: Some(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        elsewhere: Some("default-src 'none'; frame-ancestors 'none'"),
    },
    on_page("Referrer-Policy", "same-origin"),
    on_page("Cross-Origin-Opener-Policy", "same-origin"),
    on_page(
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=()",
    ),
    // One year; browsers then refuse to reach the site without TLS (RFC 6797). The last one, for `without_hsts`.
    everywhere("Strict-Transport-Security", "max-age=31536000"),
];

/// What Rocket's `Shield` sets by default: ours replace it, because they are stricter and the application did not choose it.
const SHIELD_DEFAULTS: [(&str, &str); 2] = [
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Permissions-Policy", "interest-cohort=()"),
];

const CACHE_CONTROL: &str = "Cache-Control";
const NO_STORE: &str = "no-store";

/// Sets the headers that the answer does not have yet. For the fairing, and for the catcher of a request that Rocket cannot
/// parse (an unknown method, say), which no fairing sees.
pub(crate) fn set_security_headers(request: &Request<'_>, response: &mut Response<'_>) {
    let Some(origin) = request.rocket().state::<PublicOrigin>() else {
        return;
    };
    // In one pass: an answer has few headers so far, and looking one up by its name hashes that byte by byte.
    let mut present = [false; LINES.len()];
    let (mut is_page, mut server) = (false, false);
    for header in response.headers().iter() {
        let (name, value) = (&header.name, &*header.value);
        let is_default =
            |(default, its_value): &(&str, &str)| name == default && value == *its_value;
        if SHIELD_DEFAULTS.iter().any(is_default) {
            continue;
        }
        is_page |= name == "Content-Type" && is_html(value);
        server |= name == "Server";
        for (line, present) in LINES.iter().zip(&mut present) {
            *present |= name == line.name;
        }
    }
    let without_hsts = usize::from(!origin.allows_hsts());
    let lines = LINES.iter().zip(present);
    for (line, present) in lines.take(LINES.len() - without_hsts) {
        let value = if is_page {
            line.on_page
        } else {
            line.elsewhere
        };
        if let Some(value) = value.filter(|_| !present) {
            response.set_raw_header(line.name, value);
        }
    }
    if server {
        response.remove_header("Server");
    }
}

fn is_html(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/html")
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
        } else if record.is_session_looked_up() && !response.headers().contains(CACHE_CONTROL) {
            // The next request may come with another session, or with none.
            response.set_raw_header(CACHE_CONTROL, NO_STORE);
        }
    }
}
