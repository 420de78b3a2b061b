//! Ends the program when its store can never work again.

use std::time::Duration;

use rocket::Shutdown;
use rocket::fairing::AdHoc;
use tokio::time::timeout;

use crate::session::Sessions;

const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Shuts Rocket down when only a restart can help, so that a supervisor restarts the program: requests in flight
/// finish, and the program's exit status is a failure.
///
/// For the program alone. An application that uses the library has more to do than sign-in, and decides itself, by
/// `/readyz` or [`Sessions::is_lost`].
pub(crate) fn shutdown_when_lost() -> AdHoc {
    AdHoc::on_liftoff("Innkeeper's lost store", |rocket| {
        Box::pin(async move {
            if let Some(sessions) = rocket.state::<Sessions>().cloned() {
                tokio::spawn(watch(sessions, rocket.shutdown()));
            }
        })
    })
}

async fn watch(sessions: Sessions, shutdown: Shutdown) {
    while !sessions.is_lost() {
        if timeout(CHECK_INTERVAL, shutdown.clone()).await.is_ok() {
            return;
        }
    }
    tracing::error!("the session store can never work again in this process: the process ends");
    shutdown.notify();
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Clock;
    use crate::config::StorePath;
    use crate::session::Lifetimes;
    use crate::store::EmbeddedStore;

    #[tokio::test]
    async fn a_store_that_is_lost_shuts_rocket_down() {
        let clock = Clock::start();
        let lifetimes = Lifetimes {
            idle: Duration::from_secs(900),
            absolute: None,
        };
        let store = EmbeddedStore::open(&StorePath::Memory, lifetimes, clock.clone()).unwrap();
        let store = Arc::new(store);
        let sessions = Sessions::new(Arc::clone(&store) as _, lifetimes, 1, None, clock);
        let config = rocket::Config {
            log_level: rocket::config::LogLevel::Off,
            ..rocket::Config::default()
        };
        let rocket = rocket::custom(config).ignite().await.unwrap();
        tokio::spawn(watch(sessions, rocket.shutdown()));

        let soon = Duration::from_millis(1500);
        assert!(timeout(soon, rocket.shutdown()).await.is_err());
        store.lose().await;
        timeout(10 * soon, rocket.shutdown()).await.unwrap();
    }
}
