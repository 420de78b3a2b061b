//! What an operator asks for at the command line, instead of serving.

mod doctor;
mod output;
mod rows;
mod sessions;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use tokio::runtime;

use self::sessions::SessionsCommand;
use crate::config;
use crate::config::Config;

/// The least and the most time that an answer may take: the first one may have to wait for its connection longer than
/// a request would, and nobody wants to watch a cursor.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));

/// What an operator asks for at the command line.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Says what will hurt in production, and what to change
    ///
    /// Reads the same settings as the server, and changes none. Exit status: 0 all well, 1 warnings, 2 does not work.
    Doctor,
    /// Lists and ends users' sessions
    #[command(subcommand)]
    Sessions(SessionsCommand),
}

impl fmt::Display for Command {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doctor => f.write_str("doctor"),
            Self::Sessions(command) => write!(f, "sessions {command}"),
        }
    }
}

impl Command {
    /// Does it, and says on standard output what came of it.
    ///
    /// # Errors
    ///
    /// A sentence for the operator, without secrets: a setting is wrong, or the store cannot be used.
    pub fn run(&self) -> Result<ExitCode, String> {
        let figment = config::figment()?;
        let rocket = figment.extract().map_err(|error| error.to_string())?;
        let mut config = Config::from(&figment).map_err(|error| error.to_string())?;
        let request_timeout = config.redis_timeout;
        config.redis_timeout = request_timeout.clamp(PATIENCE.0, PATIENCE.1);

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
        // A look-up of a host's name cannot be called off, and should not be waited for.
        runtime.shutdown_background();
        outcome
    }
}
