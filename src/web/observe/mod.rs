//! What is recorded of requests: the log, the audit, the metrics.

mod access_log;
mod audit;
mod log_writer;
mod logging;
mod metrics;
mod readiness;
mod request_id;
mod request_record;

pub(crate) use access_log::AccessLog;
pub(crate) use audit::Audit;
pub(crate) use log_writer::LogWriter;
pub use logging::Log;
pub(crate) use metrics::Metrics;
pub(crate) use readiness::Readiness;
pub(crate) use request_id::RequestIds;
pub(crate) use request_record::RequestRecord;
