//! Checks whether anybody can sign in with a password.

use tokio::time::timeout;

use crate::account::AccountStore;
use crate::cli::doctor::finding::{Finding, failure, note, ok, problem};
use crate::config::{Config, SignInMode};
use crate::session::StoreError;

const SUBJECT: &str = "accounts";

pub(super) async fn check(config: &Config, store: &dyn AccountStore) -> Option<Finding> {
    if config.sign_in != SignInMode::Password {
        return None;
    }
    let limit = config.redis_timeout;
    let empty = timeout(limit, store.is_empty()).await;
    Some(match empty.unwrap_or(Err(StoreError::Timeout(limit))) {
        Ok(false) => ok(SUBJECT, "Accounts can be read."),
        Ok(true) => note(
            SUBJECT,
            "Nobody has an account, so nobody can sign in. Make the first one by the link that the server prints at its \
             start, or by `innkeeper accounts add NAME`.",
        ),
        Err(error) => failure(
            SUBJECT,
            &format!("Accounts cannot be read: {}.", problem(&error)),
            "Nobody can sign in.",
        ),
    })
}
