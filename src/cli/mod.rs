//! The commands of the program.

mod doctor;
#[cfg(feature = "embedded")]
mod embedded_store;
mod output;
mod rows;
mod sessions;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use tokio::runtime;

use self::output::eprint;
use self::sessions::SessionsCommand;
use crate::config::{self, Config};
#[cfg(not(feature = "embedded"))]
use crate::store::configured::embedded as embedded_store;

/// Longer than a request waits: a command has to connect first.
const MIN_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest wait that is bearable at a terminal.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// A command of the program.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Checks settings and store, and says what to change before production
    ///
    /// Reads the same settings as the server, and changes none. Exit status: 0 all well, 1 warnings, 2 it does not work.
    Doctor,
    /// Lists and ends users' sessions
    #[command(subcommand)]
    Sessions(SessionsCommand),
}

impl fmt::Display for Command {
    /// The command as it is typed, without its arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doctor => f.write_str("doctor"),
            Self::Sessions(command) => write!(f, "sessions {command}"),
        }
    }
}

impl Command {
    /// Runs the command with the program's settings, `.env` among them, and prints the outcome.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        self.outcome().unwrap_or_else(|problem| {
            // If this fails too, there is nowhere left to report it.
            drop(eprint(&format!("innkeeper {self}: {problem}")));
            ExitCode::from(2)
        })
    }

    /// The error is a sentence without secrets: a setting is wrong, or the store cannot be used.
    fn outcome(&self) -> Result<ExitCode, String> {
        config::read_env_file()?;
        let figment = config::figment()?;
        let rocket = figment.extract().map_err(|error| error.to_string())?;
        let mut config = Config::from(&figment).map_err(|error| error.to_string())?;
        let request_timeout = config.redis_timeout;
        config.redis_timeout = request_timeout.clamp(MIN_TIMEOUT, MAX_TIMEOUT);

        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let outcome = runtime.block_on(async {
            match self {
                Self::Doctor => doctor::run(&config, &rocket, request_timeout).await,
                Self::Sessions(command) => command.run(&config).await,
            }
        });
        // Without waiting for the look-up of a host name, which cannot be cancelled.
        runtime.shutdown_background();
        outcome
    }
}
