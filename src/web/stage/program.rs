//! The program: its Rocket, and how it is served.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::shield::Shield;
use rocket::{Build, Rocket};
use tokio::runtime::{self, Runtime};

use crate::config::{self, CONTROL_SOCKET, Config, EnvFile, LogFormat, StoreConfig, StorePath};
use crate::control::ControlServer;
use crate::session::Sessions;
use crate::store::Stores;
use crate::web::observe::Log;
use crate::web::site::Plan;
use crate::web::stage::accounts::announce_first_account;
use crate::web::stage::assemble::Assembly;
use crate::web::stage::brought::Brought;
use crate::web::stage::{defaults, lost_store, shutdown, template_folder};

/// The whole application, as `cargo run` serves it.
///
/// Its figment is Rocket's own with five differences: no `Server` header, no client address from a header, none of
/// Rocket's own log, SIGTERM is left to [`launch`](super::launch), which is to serve it, and on two cores there is one
/// worker. Rocket.toml is read from the working directory and from no folder above, and templates from a `template_dir`
/// that is set, else from `templates/innkeeper` alone.
///
/// # Errors
///
/// A sentence for the operator: a setting is wrong or unknown, or the store cannot be opened.
pub fn rocket() -> Result<Rocket<Build>, String> {
    configured(None)
}

/// The same with the settings of this file in place of Rocket.toml.
fn configured(config_file: Option<&Path>) -> Result<Rocket<Build>, String> {
    let (figment, replaced_pages) = template_folder::for_program(config::figment(config_file)?)?;
    let rocket = rocket::custom(figment);
    let assembly = Assembly::open(rocket.figment(), &Plan::default(), Brought::default())?;
    let rocket = defaults::with_shutdown_times(rocket, assembly.config())
        .attach(lost_store::shutdown_when_lost())
        .attach(announce_first_account())
        // Every answer is ours, so Rocket's default headers would all be replaced.
        .attach(Shield::new());
    let rocket = template_folder::attach_engine(rocket, replaced_pages);
    Ok(assembly.attach_to(rocket))
}

/// Serves [`rocket()`] until it is shut down, with the settings of `.env` and with a [`Log`]; starts threads of its own.
///
/// `config_file` is read in place of `Rocket.toml`, and of the file that `ROCKET_CONFIG` names; one that is not there stops
/// the launch.
#[must_use]
pub fn serve(config_file: Option<&Path>) -> ExitCode {
    let env_file = config::read_env_file();
    let log = match Log::open() {
        Ok(log) => log,
        Err(error) => {
            drop(writeln!(io::stderr(), "innkeeper does not start: {error}"));
            return ExitCode::from(2);
        }
    };
    let served = env_file.and_then(|env_file| run(start(&log, config_file, env_file.as_ref())?));
    served.unwrap_or_else(|problem| {
        log.write_error(
            LogFormat::from_settings(config_file),
            "innkeeper does not start",
            &problem,
        );
        ExitCode::FAILURE
    })
}

fn start(
    log: &Log,
    config_file: Option<&Path>,
    env_file: Option<&EnvFile>,
) -> Result<Rocket<Build>, String> {
    let rocket = configured(config_file)?;
    let config = Config::from(rocket.figment()).map_err(|error| error.to_string())?;
    log.start(config.log_format);
    tracing::info!("{}", config::describe_sources(rocket.figment(), env_file));
    Ok(rocket)
}

/// As `rocket::execute` does, which would take the number of threads from a Rocket.toml in any folder above.
fn run(rocket: Rocket<Build>) -> Result<ExitCode, String> {
    let sessions = rocket.state::<Sessions>().cloned();
    let threads = runtime(rocket.figment())?;
    let control = threads.block_on(async { control(&rocket) });
    let served = threads.block_on(async {
        let served = launch(rocket).await;
        let is_lost = sessions.as_ref().is_some_and(Sessions::is_lost);
        served.map(|()| is_lost)
    });
    // While the store is still this process's: another one's socket must not be removed.
    drop(control);
    threads.shutdown_timeout(Duration::from_millis(500));
    // Drops the store last, and on this thread: the runtime abandons its threads, even one that is closing the store.
    drop(sessions);
    // A failure, so that a supervisor restarts a server that has lost its store.
    Ok(if served? {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Listens for the operator's commands, where the store is a file that only this process can open. Without that the program
/// serves all the same.
fn control(rocket: &Rocket<Build>) -> Option<ControlServer> {
    let config = Config::from(rocket.figment()).ok()?;
    let (StoreConfig::Embedded(StorePath::Folder(folder)), Some(stores)) =
        (config.store, rocket.state::<Stores>().cloned())
    else {
        return None;
    };
    ControlServer::start(&folder, stores)
        .inspect_err(|error| {
            tracing::warn!(
                "commands cannot reach this server, so it must be stopped to run one: the socket {CONTROL_SOCKET} in {} \
                 cannot be made ({error})",
                folder.display()
            );
        })
        .ok()
}

/// With one worker all requests are served by this thread: a scheduler of several threads hands each request from one to another,
/// which costs as much as a fifth of the request, even where there is only one to hand it to.
fn runtime(figment: &Figment) -> Result<Runtime, String> {
    let rocket: rocket::Config = figment.extract().map_err(|error| error.to_string())?;
    let mut runtime = match rocket.workers {
        0 | 1 => runtime::Builder::new_current_thread(),
        workers => {
            let mut several = runtime::Builder::new_multi_thread();
            several.worker_threads(workers);
            several
        }
    };
    runtime
        .thread_name("innkeeper")
        .max_blocking_threads(rocket.max_blocking.max(1))
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

async fn launch(rocket: Rocket<Build>) -> Result<(), String> {
    let config = rocket.figment().extract::<rocket::Config>();
    let Err(error) = shutdown::launch(rocket).await else {
        return Ok(());
    };
    Err(if let ErrorKind::Bind(cause) = error.kind() {
        let address = config.map(|config| SocketAddr::new(config.address, config.port).to_string());
        let address = address.unwrap_or_else(|_| "its address".to_owned());
        format!("{address} cannot be bound ({cause}); see `address` and `port`")
    } else if let ErrorKind::FailedFairings(_) = error.kind() {
        "a template in the folder `template_dir` cannot be used".to_owned()
    } else {
        error.kind().to_string()
    })
}
