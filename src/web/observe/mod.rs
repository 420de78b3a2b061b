//! What is recorded of requests: the log, the audit, the metrics.

pub(crate) mod access_log;
pub(crate) mod audit;
pub(crate) mod log_writer;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod readiness;
pub(crate) mod request_id;
pub(crate) mod request_record;
