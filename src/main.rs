//! The program: reads `.env`, then serves, or does what an operator asks for.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{self, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use innkeeper::{Command, Config, Log, LogFormat, Sessions};
use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::{Build, Rocket};
use tokio::runtime::{self, Runtime};

/// A session system for web sites: sign-in, sliding expiry and sign-out
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
            .and_then(|_| command.run())
            .unwrap_or_else(|problem| tell(&format!("innkeeper {command}: {problem}"))),
    }
}

/// By hand: whoever asked for something at a terminal gets a sentence, and no log.
fn tell(problem: &str) -> ExitCode {
    // There is nobody else to tell.
    drop(writeln!(io::stderr(), "{problem}"));
    ExitCode::from(2)
}

/// Not an async main: the number of threads is a setting, which may stand in `.env`.
fn serve(prepared: Result<Option<PathBuf>, String>) -> ExitCode {
    let log = match Log::open() {
        Ok(log) => log,
        Err(error) => return tell(&format!("innkeeper does not start: {error}")),
    };
    let served = prepared.and_then(|env_file| run(prepare(&log, env_file)?));
    match served {
        Ok(status) => status,
        Err(problem) => {
            let format = LogFormat::from_settings();
            log.tell(format, "innkeeper does not start", &problem);
            ExitCode::FAILURE
        }
    }
}

fn prepare(log: &Log, env_file: Option<PathBuf>) -> Result<Rocket<Build>, String> {
    let rocket = innkeeper::rocket()?;
    let config = Config::from(rocket.figment()).map_err(|error| error.to_string())?;
    log.start(config.log_format);
    tracing::info!("{}", told_sources(rocket.figment(), env_file));
    Ok(rocket)
}

/// Which files have a say.
fn told_sources(figment: &Figment, env_file: Option<PathBuf>) -> String {
    let of_rocket = figment
        .metadata()
        .filter_map(|metadata| metadata.source.as_ref()?.file_path());
    let files: Vec<_> = of_rocket
        .map(Path::to_owned)
        .chain(env_file)
        .map(|path| path.display().to_string())
        .collect();
    if files.is_empty() {
        return "settings are read from the environment; there is no Rocket.toml and no .env in this folder".to_owned();
    }
    format!(
        "settings are read from {} and the environment",
        files.join(", ")
    )
}

/// As `rocket::execute` does, which would take the number of threads from a Rocket.toml in any folder above.
fn run(rocket: Rocket<Build>) -> Result<ExitCode, String> {
    let sessions = rocket.state::<Sessions>().cloned();
    let threads = runtime(rocket.figment())?;
    let served = threads.block_on(async {
        let served = launch(rocket).await;
        let is_lost = sessions.as_ref().is_some_and(Sessions::is_lost);
        served.map(|()| is_lost)
    });
    threads.shutdown_timeout(Duration::from_millis(500));
    // Last, and here: a thread of the runtime that had them last would be left in the middle of closing the store.
    drop(sessions);
    Ok(if served? {
        // A supervisor that restarts what has failed restarts this.
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn runtime(figment: &Figment) -> Result<Runtime, String> {
    let rocket: rocket::Config = figment.extract().map_err(|error| error.to_string())?;
    runtime::Builder::new_multi_thread()
        .thread_name("innkeeper")
        .worker_threads(rocket.workers.max(1))
        .max_blocking_threads(rocket.max_blocking.max(1))
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

async fn launch(rocket: Rocket<Build>) -> Result<(), String> {
    let at = rocket.figment().extract::<rocket::Config>();
    let at = at.map(|at| SocketAddr::new(at.address, at.port));
    let Err(error) = innkeeper::launch(rocket).await else {
        return Ok(());
    };
    Err(if let ErrorKind::Bind(cause) = error.kind() {
        let at = at.map_or_else(|_| "its address".to_owned(), |at| at.to_string());
        format!("{at} cannot be had ({cause}); see `address` and `port`")
    } else if let ErrorKind::FailedFairings(_) = error.kind() {
        "a template in the folder `template_dir` cannot be used".to_owned()
    } else {
        error.kind().to_string()
    })
}

/// Puts what `.env` of the working directory says into the environment, where the environment does not say it already,
/// and returns where the file is.
///
/// No folder above is looked at: others may write there.
fn read_env_file() -> Result<Option<PathBuf>, String> {
    let file = Path::new(".env");
    // Python keeps virtual environments in folders of that name.
    if file.is_dir() {
        return Ok(None);
    }
    match dotenvy::from_path(file) {
        Ok(()) => Ok(Some(
            path::absolute(file).unwrap_or_else(|_| file.to_owned()),
        )),
        Err(error) if error.not_found() => Ok(None),
        // The error itself would show the line, and with it perhaps a password.
        Err(dotenvy::Error::Io(error)) => Err(format!(".env cannot be read: {error}")),
        Err(_) => Err(
            ".env has a line that is not NAME=value (a value with spaces or # needs quotes)"
                .to_owned(),
        ),
    }
}
