//! The log: how it is started, and a line for each request.

use std::io::{self, IsTerminal};
use std::time::Instant;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Data, Request, Response, async_trait};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;

/// Starts writing the log to standard error; for a program, once.
///
/// `RUST_LOG` says what is written (default `info`). Control characters are escaped, so that a line is an event.
/// A library's user who has a log of his own leaves this out: Innkeeper's events go to whatever `tracing`
/// subscriber there is, or without one to the `log` crate.
pub fn start(format: LogFormat) {
    let asked = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env();
    let (filter, misread) = match asked {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    // Fails only where a log has been started already, and then there is one.
    let _already = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    if let Some(error) = misread {
        tracing::warn!(%error, "RUST_LOG cannot be read; `info` is used");
    }
}

/// Writes a line for each request.
///
/// It names the route and not the path: a path is the visitor's text, and might hold an id.
pub(super) struct RequestLog;

#[derive(Clone, Copy)]
struct Begun(Instant);

#[async_trait]
impl Fairing for RequestLog {
    fn info(&self) -> Info {
        Info {
            name: "Request log",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        request.local_cache(|| Begun(Instant::now()));
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let begun = request.local_cache(|| Begun(Instant::now()));
        tracing::info!(
            method = request.method().as_str(),
            route = request.route().map_or("-", |route| route.uri.as_str()),
            status = response.status().code,
            micros = begun.0.elapsed().as_micros(),
            "request"
        );
    }
}
