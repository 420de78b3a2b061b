//! The log: how it is started, and a line for each request.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Data, Request, Response, async_trait};
use tracing::field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::config::LogFormat;
use crate::session::SessionHandle;
use crate::web::observe::log_writer::LogWriter;
use crate::web::observe::metrics::Metrics;
use crate::web::observe::request_id::RequestIds;
use crate::web::observe::request_record::Trace;

/// How long the end of the process waits for the last lines to be written.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log on standard error, for a program. Keep it to the end of the process: when it is dropped, what has not been
/// written yet is, for a second at most.
///
/// Who logs never waits for the log's reader, and does not fail with him: lines that cannot be written are dropped, and
/// counted in the metric `innkeeper_log_lines_dropped_total`.
///
/// A library's user who has a log of his own leaves this out: Innkeeper's events go to whatever `tracing`
/// subscriber there is, or without one to the `log` crate.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct Log(LogWriter);

impl Log {
    /// Opens standard error; nothing is logged yet.
    ///
    /// # Errors
    ///
    /// The process can have no further thread, or no further open file.
    pub fn open() -> io::Result<Self> {
        LogWriter::to_stderr().map(Self)
    }

    /// Starts the log; once.
    ///
    /// `RUST_LOG` says what is written (default `info`). Control characters are escaped, so that a line is an event.
    /// Panics are logged, too.
    pub fn start(&self, format: LogFormat) {
        let asked = EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .from_env();
        let (filter, misread) = match asked {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        };
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            // It would report by `eprintln!`, which panics where standard error is gone.
            .log_internal_errors(false)
            .with_writer(self.0.clone());
        // On a terminal it looks at `NO_COLOR` itself.
        let log = if io::stderr().is_terminal() {
            log
        } else {
            log.with_ansi(false)
        };
        let started = match format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .try_init(),
        };
        // Else a log has been started already.
        if started.is_ok() {
            panic::set_hook(Box::new(log_panic));
        }
        if let Some(error) = misread {
            tracing::warn!(%error, "RUST_LOG cannot be read; `info` is used");
        }
    }

    /// Writes a line that no `RUST_LOG` hides: why the program does not start.
    pub fn tell(&self, format: LogFormat, message: &str, error: &str) {
        let line = match format {
            // A value that is quoted may hold what moves a terminal's cursor.
            LogFormat::Text => {
                format!("{message}: {}", error.replace(char::is_control, "\u{fffd}"))
            }
            LogFormat::Json => told_in_json(message, error),
        };
        // This writer takes every line.
        drop(writeln!(&self.0, "{line}"));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish(FINISH_TIMEOUT);
    }
}

/// As an event of that level would look like.
fn told_in_json(message: &str, error: &str) -> String {
    let mut timestamp = String::new();
    // Writing to a text does not fail.
    let _written = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    let line = serde_json::json!({
        "timestamp": timestamp,
        "level": "ERROR",
        "message": message,
        "error": error,
    });
    line.to_string()
}

/// Instead of Rust's own hook, which waits for the reader of standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    // Only where `RUST_BACKTRACE` asks for one.
    let backtrace = Backtrace::capture();
    tracing::error!(
        error = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)),
        location = panic.location().map(field::display),
        thread = thread::current().name(),
        backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| field::display(&backtrace)),
        "panicked"
    );
}

/// Gives each answer its request's id, writes a line for it and counts it.
///
/// The line names the route and not the path: a path is the visitor's text, and might hold an id.
pub(in crate::web) struct RequestLog;

/// A line of the log at this level.
macro_rules! write_line {
    ($level:ident, $request:ident, $trace:ident, $status:ident) => {
        tracing::$level!(
            request_id = %$trace.id(),
            method = $trace.method(),
            route = route($request),
            status = $status.code,
            duration_us = u64::try_from($trace.elapsed().as_micros()).unwrap_or(u64::MAX),
            ip = $request.client_ip().map(field::display),
            user = $trace.guest().map(|guest| guest.user.as_str()),
            session = $trace.guest().map(|guest| field::display(SessionHandle::from(&guest.id).prefix())),
            problem = $trace.problem(),
            "request"
        )
    };
}

impl RequestLog {
    /// For the catcher: a request of which Rocket cannot make anything comes to it and to no fairing.
    pub(in crate::web) fn catch(request: &Request<'_>, response: &mut Response<'_>) {
        let is_logged = request.rocket().state::<RequestIds>().is_some();
        if is_logged {
            conclude(request, response);
        }
    }
}

fn conclude(request: &Request<'_>, response: &mut Response<'_>) {
    let (trace, status) = (Trace::of(request), response.status());
    // An application may name its requests itself.
    if !response.headers().contains("X-Request-Id") {
        response.set_raw_header("X-Request-Id", trace.id().to_string());
    }
    if let Some(metrics) = request.rocket().state::<Arc<Metrics>>() {
        metrics.answered(route(request), trace.method(), status.code, trace.elapsed());
    }
    match status.code {
        // Supervisors and load balancers ask every few seconds.
        200 if trace.is_own() && matches!(route(request), "/healthz" | "/readyz") => {
            write_line!(debug, request, trace, status);
        }
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
