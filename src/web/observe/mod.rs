//! What is recorded of requests: the log, the audit, the metrics.

pub(in crate::web) mod audit;
pub(in crate::web) mod log_writer;
pub(in crate::web) mod logging;
pub(in crate::web) mod metrics;
pub(in crate::web) mod readiness;
pub(in crate::web) mod request_id;
pub(in crate::web) mod request_record;
