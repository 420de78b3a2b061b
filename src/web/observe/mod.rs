//! What is recorded of requests: the log, the audit, the metrics.

mod access_log;
mod audit;
#[cfg(feature = "program")]
mod log_writer;
#[cfg(feature = "program")]
mod logging;
mod metrics;
mod readiness;
mod request_id;
mod request_record;
#[cfg(not(feature = "program"))]
mod without_log;

pub(crate) use access_log::AccessLog;
pub(crate) use audit::Audit;
#[cfg(feature = "program")]
pub(crate) use log_writer::LogWriter;
#[cfg(feature = "program")]
pub use logging::Log;
#[cfg(feature = "metrics")]
pub(crate) use metrics::Metrics;
pub(crate) use readiness::Readiness;
pub(crate) use request_id::RequestIds;
pub(crate) use request_record::RequestRecord;
#[cfg(all(feature = "metrics", not(feature = "program")))]
pub(crate) use without_log::LogWriter;
