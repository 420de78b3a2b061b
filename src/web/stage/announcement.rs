//! The log's first lines: where the program listens, and whether its store can be used.

use std::net::SocketAddr;

use rocket::fairing::AdHoc;

use crate::config::{Config, SignInMode, StoreConfig, StorePath};
use crate::session::{Sessions, StoreError};
use crate::store;
use crate::store::configured::{embedded, redis};

/// `own_store`: whether the application has brought its own.
pub(crate) fn announcement(config: &Config, own_store: bool) -> AdHoc {
    let place = if own_store {
        "the application's own store".to_owned()
    } else {
        store::place(config)
    };
    let choice = (!own_store).then(|| config.store.clone());
    let warning = config.warning();
    let keeps_accounts = !own_store && config.sign_in == SignInMode::Password;
    let settings = config.clone();
    AdHoc::on_liftoff("Innkeeper is ready", move |rocket| {
        Box::pin(async move {
            let config = rocket.config();
            let at = SocketAddr::new(config.address, config.port);
            let scheme = if config.tls_enabled() {
                "https"
            } else {
                "http"
            };
            tracing::info!("listening on {scheme}://{at}, sessions are kept in {place}");
            if let Some(warning) = warning {
                tracing::warn!("{warning}");
            }
            match choice {
                Some(StoreConfig::Embedded(location)) => {
                    if keeps_accounts && location == StorePath::Memory {
                        tracing::warn!(
                            "accounts can vanish: `store_path` is `:memory:`, so a restart loses all of them"
                        );
                    }
                    for problem in embedded::exposed(&location) {
                        tracing::warn!("{problem}");
                    }
                }
                Some(StoreConfig::Redis(_)) | None => {
                    if keeps_accounts {
                        tokio::spawn(warn_of_risks(settings));
                    }
                    if let Some(sessions) = rocket.state::<Sessions>().cloned() {
                        // The launch does not wait for it: Innkeeper may start before its store does.
                        tokio::spawn(async move { check_store(&sessions, &place).await });
                    }
                }
            }
        })
    })
}

/// Reports a wrong password, say, at the launch and not at the first request.
async fn check_store(sessions: &Sessions, place: &str) {
    let outcome = match sessions.check().await {
        // Connecting may take longer than `redis_timeout_ms`; by the second check it is done.
        Err(StoreError::Timeout(_)) => sessions.check().await,
        outcome => outcome,
    };
    match outcome {
        Ok(()) => tracing::info!("{place} can be used"),
        Err(error) => {
            let problem = error.reason();
            tracing::warn!(
                "{place} cannot be used yet, and what needs a session is answered with 503: {problem}"
            );
        }
    }
}

/// Accounts must not vanish. Where Redis cannot be reached, [`check_store`] says so.
async fn warn_of_risks(config: Config) {
    let StoreConfig::Redis(address) = &config.store else {
        return;
    };
    for risk in redis::risks_for_accounts(&config, address)
        .await
        .unwrap_or_default()
    {
        tracing::warn!("accounts can vanish: {risk}");
    }
}
