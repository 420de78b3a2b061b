//! The log: how it is started, and a line for each request.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Data, Request, Response, async_trait};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::metrics::Metrics;
use super::request_id::RequestIds;
use super::trace::Trace;
use crate::config::LogFormat;
use crate::session::Handle;

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

/// Gives each answer its request's id, writes a line for it and counts it.
///
/// The line names the route and not the path: a path is the visitor's text, and might hold an id.
pub(super) struct RequestLog;

/// A line of the log at this level.
macro_rules! write_line {
    ($level:ident, $request:ident, $trace:ident, $status:ident) => {
        tracing::$level!(
            request_id = %$trace.id(),
            method = $request.method().as_str(),
            route = route($request),
            status = $status.code,
            micros = $trace.elapsed().as_micros(),
            user = $trace.guest().map(|guest| guest.user.as_str()),
            session = $trace.guest().map(|guest| tracing::field::display(Handle::from(&guest.id).prefix())),
            problem = $trace.problem(),
            "request"
        )
    };
}

impl RequestLog {
    /// For the catcher: a request of which Rocket cannot make anything comes to it and to no fairing.
    pub(super) fn catch(request: &Request<'_>, response: &mut Response<'_>) {
        let is_logged = request.rocket().state::<RequestIds>().is_some();
        if is_logged && !Trace::of(request).is_by_fairings() {
            conclude(request, response);
        }
    }
}

fn conclude(request: &Request<'_>, response: &mut Response<'_>) {
    let (trace, status) = (Trace::of(request), response.status());
    response.set_raw_header("X-Request-Id", trace.id().to_string());
    if let Some(metrics) = request.rocket().state::<Arc<Metrics>>() {
        let method = request.method().as_str();
        metrics.answered(route(request), method, status.code, trace.elapsed());
    }
    match status.code {
        503 => write_line!(warn, request, trace, status),
        500.. => write_line!(error, request, trace, status),
        _ => write_line!(info, request, trace, status),
    }
}

/// The template of the route that answered.
fn route<'r>(request: &'r Request<'_>) -> &'r str {
    request.route().map_or("-", |route| route.uri.path())
}

#[async_trait]
impl Fairing for RequestLog {
    fn info(&self) -> Info {
        Info {
            name: "Request log",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        Trace::begin(request);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        conclude(request, response);
    }
}
