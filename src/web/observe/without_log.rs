//! In place of the program's log, where the feature `program` is missing.

/// There is none.
pub(crate) enum LogWriter {}

impl LogWriter {
    /// None: the log is the application's.
    pub(crate) fn dropped_lines() -> u64 {
        0
    }
}
