//! Standard output and standard error of the commands.

use std::io::{self, Write};

/// Writes a line to standard error.
pub(crate) fn eprint(text: &str) -> Result<(), String> {
    let written = writeln!(io::stderr().lock(), "{text}");
    written.map_err(|error| format!("standard error cannot be written to: {error}"))
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| format!("standard output cannot be written to: {error}"))
}
