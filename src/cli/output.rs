//! Standard output and standard error of the commands.

use std::io::{self, Write};

/// Writes a line to standard error: what is no answer, but should be known.
pub(crate) fn remark(text: &str) -> Result<(), String> {
    let written = writeln!(io::stderr().lock(), "{text}");
    written.map_err(|error| format!("a remark cannot be written: {error}"))
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| format!("the answer cannot be written: {error}"))
}
