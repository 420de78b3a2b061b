//! The end of the program: first no longer ready, then no longer there.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rocket::config::Sig;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Build, Orbit, Request, Response, Rocket, Shutdown, async_trait};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use crate::session::Sessions;
use crate::web::observe::readiness::Readiness;

/// Closes connections and the store as the process ends: a fairing, managed by Rocket for [`launch`] too.
#[derive(Clone)]
pub(crate) struct GracefulShutdown {
    readiness: Readiness,
    store_closed: Arc<Notify>,
}

impl GracefulShutdown {
    pub(crate) fn new(readiness: Readiness) -> Self {
        Self {
            readiness,
            store_closed: Arc::default(),
        }
    }
}

#[async_trait]
impl Fairing for GracefulShutdown {
    fn info(&self) -> Info {
        Info {
            name: "Graceful shutdown",
            kind: Kind::Response | Kind::Shutdown,
        }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        if self.readiness.is_draining() {
            // The next request of a connection that is kept would find nobody.
            response.set_raw_header("Connection", "close");
        }
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        self.readiness.drain();
        if let Some(sessions) = rocket.state::<Sessions>() {
            sessions.close().await;
        }
        self.store_closed.notify_one();
    }
}

/// How long the program's end takes, managed by its Rocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopTimes {
    /// How long requests are still taken after readiness is gone, so that whoever sends them learns of it first.
    pub(crate) drain: Duration,
    /// How long those that are under way then have until they are cut.
    pub(crate) limit: Duration,
}

/// Dropped with the last part of its Rocket.
struct Alive {
    _until_dropped: oneshot::Sender<()>,
}

/// Serves what [`rocket()`](crate::web::rocket) has put together, until the process is asked to end and has come to an orderly
/// end.
///
/// - SIGTERM: for `drain_secs` `/readyz` says 503 while requests are still taken; then no connection is accepted any
///   more, idle ones are closed, and requests under way have `redis_timeout_ms` and a second to finish (or what
///   Rocket's `shutdown.grace` and `shutdown.mercy` give them together, where the operator has set `grace`).
/// - SIGINT (Ctrl-C): the same without `drain_secs`.
/// - Either of them again: the end, at once.
/// - SIGHUP changes nothing.
///
/// A shutdown fairing that is attached to this Rocket is run beside Innkeeper's own, and dropped when that one has
/// closed the store.
///
/// # Errors
///
/// It could not be launched.
pub async fn launch(rocket: Rocket<Build>) -> Result<(), rocket::Error> {
    let (alive, gone) = oneshot::channel();
    let rocket = rocket.manage(Alive {
        _until_dropped: alive,
    });
    let rocket = rocket.ignite().await?;
    let (Some(graceful), Some(times)) = (
        rocket.state::<GracefulShutdown>().cloned(),
        rocket.state::<StopTimes>().copied(),
    ) else {
        // Not what `rocket()` has put together: nothing is known of its end.
        return rocket.launch().await.map(drop);
    };
    let signals = &rocket.config().shutdown;
    if !signals.signals.contains(&Sig::Hup) {
        tokio::spawn(ignore_hangups());
    }
    let asked_twice = asked_twice(
        Requests::listen(signals.ctrlc),
        graceful.readiness,
        rocket.shutdown(),
        times.drain,
    );
    let too_late = too_late(rocket.shutdown(), times.limit);

    let mut launched = Box::pin(rocket.launch());
    let served = async {
        tokio::select! {
            result = &mut launched => return result.map(drop),
            () = graceful.store_closed.notified() => {}
        }
        // Rocket would now wait for its `grace` whole if a single connection is open at this moment. What is dropped
        // here is the listener; the connections live on in tasks of their own, each of which ends as soon as it is
        // idle, and the last of them takes the Rocket with it.
        drop(launched);
        drop(gone.await);
        Ok(())
    };
    tokio::select! {
        biased;
        result = served => result,
        () = too_late => {
            tracing::warn!("ended; some connections did not finish in time and were cut");
            Ok(())
        }
        () = asked_twice => {
            tracing::warn!("asked again to end: gone at once");
            Ok(())
        }
    }
}

async fn too_late(shutdown: Shutdown, limit: Duration) {
    shutdown.await;
    sleep(limit).await;
}

/// Answers the first signal, and returns at the next one.
async fn asked_twice(
    mut requests: Requests,
    readiness: Readiness,
    shutdown: Shutdown,
    drain: Duration,
) {
    if requests.next().await == SignalKind::terminate() {
        readiness.drain();
        tracing::info!("asked to end: not ready any more, and gone in a moment");
        tokio::select! {
            _ = requests.next() => return,
            () = sleep(drain) => {}
        }
    }
    // After SIGINT too: Rocket answers that itself, but listens for it only once it has bound its address.
    shutdown.notify();
    requests.next().await;
}

/// The signals that ask the process to end.
struct Requests {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Requests {
    fn listen(ctrlc: bool) -> Self {
        Self {
            terminate: listen(SignalKind::terminate(), "SIGTERM"),
            interrupt: ctrlc
                .then(|| listen(SignalKind::interrupt(), "SIGINT"))
                .flatten(),
        }
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            () = received(self.terminate.as_mut()) => SignalKind::terminate(),
            () = received(self.interrupt.as_mut()) => SignalKind::interrupt(),
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

fn listen(kind: SignalKind, name: &str) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| tracing::error!(%error, "{name} cannot be listened for"))
        .ok()
}

/// A terminal that is closed sends it to what was started there, and some tools send it to make a program read its
/// settings again.
async fn ignore_hangups() {
    let Some(mut hangups) = listen(SignalKind::hangup(), "SIGHUP") else {
        return;
    };
    while hangups.recv().await.is_some() {
        tracing::info!("SIGHUP changes nothing: settings are read at the launch");
    }
}
