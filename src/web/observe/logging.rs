//! The program's log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Debug};
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::thread;
use std::time::Duration;

use tracing::field::{self, Field};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::config::LogFormat;
use crate::web::observe::LogWriter;

/// How long the end of the process waits for the last lines to be written.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log on standard error, for a program. Keep it to the end of the process: dropping it writes the remaining lines, for a
/// second at most.
///
/// Logging never waits for the log's reader, and does not fail with it: lines that cannot be written are dropped, and
/// counted in the metric `innkeeper_log_lines_dropped_total`.
///
/// An application that has a log of its own leaves this out: Innkeeper's events go to whatever `tracing`
/// subscriber there is, or without one to the `log` crate.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct Log(LogWriter);

impl Log {
    /// Opens standard error; nothing is logged yet.
    ///
    /// # Errors
    ///
    /// The process cannot start a thread, or cannot open another file.
    pub fn open() -> io::Result<Self> {
        LogWriter::open().map(Self)
    }

    /// Starts the log; once.
    ///
    /// `RUST_LOG` says what is written (default `info`). Control characters are escaped, so that a line is an event.
    /// Panics are logged, too.
    pub fn start(&self, format: LogFormat) {
        let filter = EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .from_env();
        let (filter, invalid) = match filter {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        };
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            // They would be written by `eprintln!`, which panics where standard error is closed.
            .log_internal_errors(false)
            .with_writer(self.0.clone());
        let started = match format {
            // On a terminal `NO_COLOR` decides, which tracing-subscriber reads itself.
            LogFormat::Text if io::stderr().is_terminal() => log.try_init(),
            LogFormat::Text => log
                .with_ansi(false)
                .fmt_fields(format::debug_fn(write_field).delimited(" "))
                .try_init(),
            LogFormat::Json => log
                .with_ansi(false)
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .try_init(),
        };
        // An error means that a log has been started already.
        if started.is_ok() {
            panic::set_hook(Box::new(log_panic));
        }
        if let Some(error) = invalid {
            tracing::warn!(%error, "RUST_LOG cannot be read; `info` is used");
        }
    }

    /// Writes a line that no `RUST_LOG` hides: why the program does not start.
    pub fn write_error(&self, format: LogFormat, message: &str, error: &str) {
        let line = match format {
            // The error may quote a value with characters that move a terminal's cursor.
            LogFormat::Text => {
                format!("{message}: {}", error.replace(char::is_control, "\u{fffd}"))
            }
            LogFormat::Json => json_line(message, error),
        };
        // `LogWriter` never fails.
        drop(writeln!(&self.0, "{line}"));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish(FINISH_TIMEOUT);
    }
}

/// As tracing-subscriber writes it without colours, which it looks for around each name and each sign.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() == "message" {
        let message = format!("{value:?}");
        return writer.write_str(&message.replace(char::is_control, "\u{fffd}"));
    }
    writer.write_str(field.name())?;
    writer.write_char('=')?;
    write!(writer, "{value:?}")
}

/// The line that `tracing_subscriber` would write for this event.
fn json_line(message: &str, error: &str) -> String {
    let mut timestamp = String::new();
    // Writing to a `String` does not fail.
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
