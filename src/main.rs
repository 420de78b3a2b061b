//! The program: serves, or runs a command.

use std::process::ExitCode;

use clap::Parser;
use innkeeper::Arguments;

/// A request makes many small allocations, most of them in Rocket, and other threads free them: with the system's allocator a
/// profile page takes 1.5 times as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// Not an async main: the number of threads is a setting, which may stand in `.env`.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments
        .run_command()
        .unwrap_or_else(|| innkeeper::serve(arguments.config_file()))
}
