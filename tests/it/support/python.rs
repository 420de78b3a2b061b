//! Python with a package that not every machine has.

use std::process::Command;

/// Where `tests/run` puts packages that Debian lacks, then Debian's own, for which it installs the others.
const INTERPRETERS: [&str; 3] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python3"),
    "/usr/bin/python3",
    "python3",
];

/// The first Python that can import the module; `how` says how somebody gets it who does not use `tests/run`.
#[track_caller]
pub(crate) fn with(module: &str, how: &str) -> Command {
    let python = INTERPRETERS.into_iter().find(|python| {
        let asked = Command::new(python)
            .args(["-c", &format!("import {module}")])
            .output();
        asked.is_ok_and(|output| output.status.success())
    });
    let python = python
        .unwrap_or_else(|| panic!("no python3 with {module}; `tests/run` installs it, or: {how}"));
    Command::new(python)
}
