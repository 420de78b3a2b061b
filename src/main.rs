//! The program: reads `.env`, then serves, or does what an operator asks for.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use innkeeper::{Command, Config, Log};
use rocket::error::ErrorKind;
use rocket::{Build, Rocket};

/// Keeps the guests of a web site signed in for as long as they are active
///
/// Without a command it serves. README.md explains the settings, which are read from Rocket.toml, the environment and
/// .env.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// A request is many small allocations, most of them Rocket's, and freed on another thread than they were made on: with the
/// system's allocator a profile takes half as much time again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let prepared = read_env_file();
    match command {
        None => serve(prepared),
        Some(command) => prepared
            .and_then(|()| command.run())
            .unwrap_or_else(|problem| tell(&format!("innkeeper {command}: {problem}"))),
    }
}

/// By hand: whoever asked for something at a terminal gets a sentence, and no log.
fn tell(problem: &str) -> ExitCode {
    // There is nobody else to tell.
    drop(writeln!(io::stderr(), "{problem}"));
    ExitCode::from(2)
}

/// Not an async main: Rocket takes the number of its threads from settings that may stand in `.env`.
fn serve(prepared: Result<(), String>) -> ExitCode {
    let log = match Log::open() {
        Ok(log) => log,
        Err(error) => return tell(&format!("innkeeper does not start: {error}")),
    };
    let served = prepared.and_then(|()| rocket::execute(launch(prepare(&log)?)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            log.tell(&format!("innkeeper does not start: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn prepare(log: &Log) -> Result<Rocket<Build>, String> {
    let rocket = innkeeper::rocket()?;
    let config = Config::from(rocket.figment()).map_err(|error| error.to_string())?;
    log.start(config.log_format);
    Ok(rocket)
}

async fn launch(rocket: Rocket<Build>) -> Result<(), String> {
    let at = rocket.figment().extract::<rocket::Config>();
    let at = at.map(|at| SocketAddr::new(at.address, at.port));
    let Err(error) = innkeeper::launch(rocket).await else {
        return Ok(());
    };
    if let ErrorKind::Shutdown(..) = error.kind() {
        tracing::warn!("ended; some connections did not finish in time and were cut");
        return Ok(());
    }
    Err(if let ErrorKind::Bind(cause) = error.kind() {
        let at = at.map_or_else(|_| "its address".to_owned(), |at| at.to_string());
        format!("{at} cannot be had ({cause}); see `address` and `port`")
    } else if let ErrorKind::FailedFairings(_) = error.kind() {
        "a template in the folder `template_dir` cannot be used".to_owned()
    } else {
        error.kind().to_string()
    })
}

/// Puts what `.env` says into the environment, where the environment does not say it already.
fn read_env_file() -> Result<(), String> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The error itself would show the line, and with it perhaps a password.
        Err(dotenvy::Error::Io(error)) => Err(format!(".env cannot be read: {error}")),
        Err(_) => Err(
            ".env has a line that is not NAME=value (a value with spaces or # needs quotes)"
                .to_owned(),
        ),
    }
}
