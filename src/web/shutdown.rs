//! An orderly end: first no longer ready, then no longer there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Orbit, Request, Response, Rocket, Shutdown, async_trait};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::session::Sessions;

/// How long requests are still taken after readiness is gone, so that whoever sends them learns of it first.
const NOTICE: Duration = Duration::from_secs(1);

/// Set once the process has been asked to end; managed by Rocket.
#[derive(Clone, Default)]
pub(super) struct Ending(Arc<AtomicBool>);

impl Ending {
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Closes connections and the store as the process ends.
pub(super) struct OrderlyEnd;

#[async_trait]
impl Fairing for OrderlyEnd {
    fn info(&self) -> Info {
        Info {
            name: "Orderly end",
            kind: Kind::Response | Kind::Shutdown,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let ending = request.rocket().state::<Ending>();
        if ending.is_some_and(Ending::has_begun) {
            // The next request of a connection that is kept would find nobody.
            response.set_raw_header("Connection", "close");
        }
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        if let Some(ending) = rocket.state::<Ending>() {
            ending.begin();
        }
        if let Some(sessions) = rocket.state::<Sessions>() {
            sessions.close().await;
        }
    }
}

/// Answers SIGTERM with some notice; for the program, whose own signal it is. Rocket itself would stop listening at
/// once.
pub(super) struct NoticeOnTerminate;

#[async_trait]
impl Fairing for NoticeOnTerminate {
    fn info(&self) -> Info {
        Info {
            name: "Notice on SIGTERM",
            kind: Kind::Liftoff,
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(ending) = rocket.state::<Ending>().cloned() else {
            return;
        };
        match signal(SignalKind::terminate()) {
            Ok(terminate) => {
                tokio::spawn(give_notice(terminate, ending, rocket.shutdown()));
            }
            Err(error) => tracing::error!(%error, "SIGTERM ends the process without notice"),
        }
    }
}

async fn give_notice(mut terminate: Signal, ending: Ending, shutdown: Shutdown) {
    terminate.recv().await;
    ending.begin();
    tracing::info!("asked to end: not ready any more, and gone in a moment");
    // Asked twice, it goes at once.
    drop(timeout(NOTICE, terminate.recv()).await);
    shutdown.notify();
}
