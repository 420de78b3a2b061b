//! The program: serves, or runs a command.

use std::process::ExitCode;

use clap::Parser;
use innkeeper::Command;

/// A session system for Rocket: sign-in, sliding expiry, sign-out
///
/// HTML and JSON at the same addresses; Redis or an embedded file. Without a command it serves. Settings are read from
/// Rocket.toml, the environment and .env; src/guide/settings.md explains them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// A request makes many small allocations, most of them in Rocket, and other threads free them: with the system's allocator a
/// profile page takes 1.5 times as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// Not an async main: the number of threads is a setting, which may stand in `.env`.
fn main() -> ExitCode {
    match Arguments::parse().command {
        None => innkeeper::serve(),
        Some(command) => command.run(),
    }
}
