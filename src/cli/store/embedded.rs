//! The embedded store for a command: through the running server, or else from its file.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::config::{Config, StorePath};
use crate::control::{ConnectError, RemoteStore};
use crate::store::embedded::{EmbeddedLimits, EmbeddedStore, FileState, OpenError, inspect};
use crate::store::{Stores, configured};

/// A server that starts has the file before it listens for commands, and one that ends still has it for a moment; another
/// command has it as long as it runs.
const PATIENCE: Duration = Duration::from_secs(6);

const PAUSE: Duration = Duration::from_millis(50);

pub(in crate::cli) async fn open(
    config: &Config,
    path: &StorePath,
    clock: Clock,
) -> Result<Stores, String> {
    match inspect(path) {
        FileState::There { .. } => {}
        // Neither a missing file nor an unreadable one counts as empty: their sessions are unknown.
        FileState::Missing(outcome) => {
            let why = outcome.err().map_or_else(
                || "there is none".to_owned(),
                |error| format!("it cannot be read: {error}"),
            );
            return Err(format!(
                "the session store in {path} cannot be opened ({why}); run this in the server's folder and as its \
                 user, or name the folder with INNKEEPER_STORE_PATH"
            ));
        }
        FileState::Memory => {
            return Err(
                "`store_path` is `:memory:`, so sessions are seen only by the process that serves them; to list or end \
                 them from here, keep them in Redis (REDIS_URL)"
                    .to_owned(),
            );
        }
    }
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(server) = running_server(path).await? {
            return Ok(Stores::for_commands(server, clock));
        }
        match open_file(config, path, clock.clone()) {
            Ok(store) => return Ok(Stores::new(store)),
            Err(error) if error.is_in_use() && Instant::now() < give_up => sleep(PAUSE).await,
            Err(error) => return Err(problem(&error)),
        }
    }
}

/// Opens the file, unless an older version has written it: after a command, which may be a mere look, the older program
/// could not use it any more.
pub(in crate::cli) fn open_file(
    config: &Config,
    path: &StorePath,
    clock: Clock,
) -> Result<EmbeddedStore, OpenError> {
    let limits = EmbeddedLimits {
        takes_over: false,
        ..configured::embedded::limits(config)
    };
    EmbeddedStore::open_within(path, limits, config.lifetimes, clock)
}

/// The server that has the store open and listens for commands; `None`: there is none.
pub(in crate::cli) async fn running_server(
    path: &StorePath,
) -> Result<Option<RemoteStore>, String> {
    let StorePath::Folder(folder) = path else {
        return Ok(None);
    };
    match RemoteStore::connect(folder).await {
        Ok(server) => Ok(Some(server)),
        Err(ConnectError::NoServer) => Ok(None),
        Err(ConnectError::Problem(problem)) => Err(problem),
    }
}

fn problem(error: &OpenError) -> String {
    if error.is_in_use() {
        format!(
            "{error}. It listens for no commands: if it is a server that is still starting (taking over an older version's \
             file can take half a minute), try again; if not (the log of a server says why it cannot; an application with \
             Innkeeper's stage never does), stop it first"
        )
    } else {
        error.to_string()
    }
}
