//! The security headers, on every answer.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Request, Response, async_trait};

/// Each header and its value (OWASP secure headers). An answer that brings its own keeps it.
const HEADERS: [(&str, &str); 7] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// One year; browsers then refuse to reach the site without TLS (RFC 6797).
const HSTS: (&str, &str) = ("Strict-Transport-Security", "max-age=31536000");

/// What depends on the settings, managed by Rocket.
#[derive(Clone, Copy)]
pub(super) struct HeaderPolicy {
    pub(super) hsts: bool,
}

impl HeaderPolicy {
    fn apply(self, request: &Request<'_>, response: &mut Response<'_>) {
        let file =
            request.uri().path().starts_with("/static/") && response.status().class().is_success();
        let stored = (!file).then_some(("Cache-Control", "no-store"));
        let hsts = self.hsts.then_some(HSTS);
        // Compared one by one: an answer has few headers before ours, and to look one up costs more than that.
        let mut brought = [false; HEADERS.len() + 2];
        let mut server = false;
        let ours = || HEADERS.into_iter().chain(stored).chain(hsts);
        for header in response.headers().iter() {
            let name = header.name();
            server |= name == "Server";
            for ((ours, _), brought) in ours().zip(&mut brought) {
                *brought |= name == ours;
            }
        }
        for ((name, value), brought) in ours().zip(brought) {
            if !brought {
                response.set_raw_header(name, value);
            }
        }
        if server {
            response.remove_header("Server");
        }
    }
}

/// Sets the headers; for a response fairing and for the catcher.
///
/// The catcher needs it too: a request of which Rocket cannot make anything (an unknown method, say) goes there and
/// nowhere else. What hyper refuses before (a request line that is none) is beyond both.
pub(super) fn harden(request: &Request<'_>, response: &mut Response<'_>) {
    if let Some(policy) = request.rocket().state::<HeaderPolicy>() {
        policy.apply(request, response);
    }
}

/// Sets the headers on every answer.
pub(super) struct SecurityHeaders;

#[async_trait]
impl Fairing for SecurityHeaders {
    fn info(&self) -> Info {
        Info {
            name: "Security headers",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        harden(request, response);
    }
}
