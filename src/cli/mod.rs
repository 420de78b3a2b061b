//! The commands of the program.

#[cfg(feature = "password")]
mod accounts;
mod doctor;
mod generated;
mod healthcheck;
mod output;
mod rows;
mod sessions;
mod settings;
mod store;
mod table;
#[cfg(not(feature = "password"))]
mod without_accounts;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use rocket::figment::Figment;
use tokio::runtime;

#[cfg(feature = "password")]
use self::accounts::AccountsCommand;
use self::doctor::DoctorArgs;
use self::generated::ManArgs;
use self::healthcheck::HealthcheckArgs;
use self::output::eprint;
use self::sessions::SessionsCommand;
use self::settings::SettingsArgs;
#[cfg(not(feature = "password"))]
use self::without_accounts::AccountsCommand;
use crate::clock::Clock;
use crate::config::{self, Config, EnvFile, StoreConfig, in_force};
use crate::store::configured;

/// Longer than a request waits: a command has to connect first.
const MIN_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest wait that is bearable at a terminal.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// A session system for Rocket: sign-in, sliding expiry, sign-out
///
/// HTML and JSON at the same addresses; Redis or an embedded file. Without a command it serves. Settings are read from
/// Rocket.toml, the environment and .env; `innkeeper settings` prints them, and the guide's chapter on settings
/// explains them.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// Reads this file in place of Rocket.toml, and of what `ROCKET_CONFIG` names
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// A command of the program.
#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Checks settings and store, and says what to change before production
    ///
    /// Reads the same settings as the server, and changes none. Exit status: 0 all well, 1 warnings, 2 it does not work.
    Doctor(DoctorArgs),
    /// Prints the settings in force, and where each was set
    ///
    /// Reads what the server would read, Rocket's own settings among them, and says what it would say about a mistake.
    /// Passwords and tokens are shown as ***, and what is not set as -. Exit status: 0, or 2 if the server would not start
    /// with these settings.
    Settings(SettingsArgs),
    /// Lists and ends users' sessions
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Makes, lists, disables and removes users' accounts
    #[command(subcommand, hide = AccountsCommand::IS_MISSING)]
    Accounts(AccountsCommand),
    /// Asks the running server on this machine whether it lives, for containers
    ///
    /// Asks at `address` and `port` of the settings (at loopback, if the server listens on all addresses). A supervisor
    /// restarts what is not healthy, and that repairs no store: so the store is asked with --ready only. Exit status: 0 it
    /// lives, or with --ready can serve; 1 it does not, and one line on standard error says why.
    Healthcheck(HealthcheckArgs),
    /// Prints a script that completes the commands in a shell
    ///
    /// For bash, as a file `innkeeper` in ~/.local/share/bash-completion/completions/; for zsh, as `_innkeeper` in a folder of
    /// `fpath`; for fish, as `innkeeper.fish` in ~/.config/fish/completions/.
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page of the program, or of a command
    ///
    /// To read it: innkeeper man sessions end | man -l -
    Man(ManArgs),
}

impl fmt::Display for Command {
    /// The command as it is typed, without its arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doctor(_) => f.write_str("doctor"),
            Self::Settings(_) => f.write_str("settings"),
            Self::Sessions(command) => write!(f, "sessions {command}"),
            Self::Accounts(command) => write!(f, "accounts {command}"),
            Self::Healthcheck(_) => f.write_str("healthcheck"),
            Self::Completions { .. } => f.write_str("completions"),
            Self::Man(_) => f.write_str("man"),
        }
    }
}

impl Arguments {
    /// The file that `--config` names.
    #[must_use]
    pub fn config_file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Runs the command with the program's settings, `.env` among them, and prints the outcome; `None` without a command:
    /// then the program serves.
    #[must_use]
    pub fn run_command(&self) -> Option<ExitCode> {
        let command = self.command.as_ref()?;
        let outcome = command.outcome(self.config_file());
        Some(outcome.unwrap_or_else(|problem| {
            // If this fails too, there is nowhere left to report it.
            drop(eprint(&format!("innkeeper {command}: {problem}")));
            ExitCode::from(command.failure())
        }))
    }
}

impl Command {
    /// The error is a sentence without secrets: a setting is wrong, or the store cannot be used.
    fn outcome(&self, config_file: Option<&Path>) -> Result<ExitCode, String> {
        match self {
            Self::Doctor(args) => args.report_error(|| {
                let (read, request_timeout) = Read::of_command(config_file)?;
                let rocket = read.rocket()?;
                block_on(doctor::run(args, &read.config, &rocket, request_timeout))
            }),
            Self::Settings(args) => Read::all(config_file)?.print(args),
            Self::Sessions(command) => {
                let (read, _) = Read::of_command(config_file)?;
                block_on(command.run(&read.config))
            }
            Self::Accounts(command) => {
                let (read, _) = Read::of_command(config_file)?;
                block_on(command.run(&read.config, &read.figment))
            }
            Self::Healthcheck(args) => {
                config::read_env_file()?;
                // Not Innkeeper's own settings: a mistake that was made since its start does not make the server ill.
                let (_, rocket) = config::rockets(config_file)?;
                healthcheck::run(args, &rocket)
            }
            Self::Completions { shell } => generated::completions(Arguments::command(), *shell),
            Self::Man(args) => generated::man(Arguments::command(), args),
        }
    }

    /// The exit status when it fails.
    fn failure(&self) -> u8 {
        match self {
            // Docker knows 0 and 1, and has reserved 2.
            Self::Healthcheck(_) => 1,
            Self::Doctor(_)
            | Self::Settings(_)
            | Self::Sessions(_)
            | Self::Accounts(_)
            | Self::Completions { .. }
            | Self::Man(_) => 2,
        }
    }
}

/// The settings of the server.
struct Read {
    env_file: Option<EnvFile>,
    figment: Figment,
    config: Config,
}

impl Read {
    fn all(config_file: Option<&Path>) -> Result<Self, String> {
        let env_file = config::read_env_file()?;
        let figment = config::figment(config_file)?;
        let config = Config::from(&figment).map_err(|error| error.to_string())?;
        Ok(Self {
            env_file,
            figment,
            config,
        })
    }

    /// The same with a command's time limit, and the server's.
    fn of_command(config_file: Option<&Path>) -> Result<(Self, Duration), String> {
        let mut read = Self::all(config_file)?;
        let request_timeout = read.config.redis_timeout;
        read.config.redis_timeout = request_timeout.clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        Ok((read, request_timeout))
    }

    fn rocket(&self) -> Result<rocket::Config, String> {
        self.figment.extract().map_err(|error| error.to_string())
    }

    fn print(&self, args: &SettingsArgs) -> Result<ExitCode, String> {
        let Self {
            env_file,
            figment,
            config,
        } = self;
        // The server would say what is wrong with the address or with a certificate's file.
        if let StoreConfig::Redis(redis) = &config.store {
            block_on(async { configured::redis::open(config, redis, Clock::start()).map(drop) })?;
        }
        let in_force = in_force::settings(figment, config).map_err(|error| error.to_string())?;
        let read_from = config::describe_sources(figment, env_file.as_ref());
        settings::run(args, &in_force, env_file.as_ref(), &read_from)
    }
}

fn block_on<T>(outcome: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(outcome);
    // Without waiting for the look-up of a host name, which cannot be cancelled.
    runtime.shutdown_background();
    outcome
}
