//! Opens the embedded store for a command.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{Config, StorePath};
use crate::session::SessionStore;
use crate::store::configured;
use crate::store::embedded::{FileState, inspect};

pub(super) fn open(
    config: &Config,
    path: &StorePath,
    clock: Clock,
) -> Result<Arc<dyn SessionStore>, String> {
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
    match configured::embedded::open_store(config, path, clock) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) if error.is_in_use() => Err(format!(
            "{error}. To list or end its sessions from here, stop it first; with Redis it may keep running"
        )),
        Err(error) => Err(error.to_string()),
    }
}
