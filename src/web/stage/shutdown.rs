//! The end of the program: `/readyz` says 503, then no connection is accepted, then requests in flight finish.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rocket::config::Sig;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Build, Ignite, Orbit, Rocket, Shutdown, async_trait};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use crate::session::Sessions;
use crate::web::observe::Readiness;
use crate::web::stage::defaults::{self, ShutdownTimes};

/// Closes the store as the process ends: a fairing, and managed by Rocket for [`launch`].
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
            kind: Kind::Shutdown,
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

/// Managed by the Rocket: dropped when the task of the last connection drops its reference to the Rocket.
struct Alive {
    _until_dropped: oneshot::Sender<()>,
}

/// Serves a Rocket until the process is asked to end, and shuts it down gracefully: the one that
/// [`rocket()`](crate::web::rocket) has put together, or an application's that has attached [`stage()`](crate::stage()).
///
/// An application that calls Rocket's own [`launch`](rocket::Rocket::launch) gets no signal handling from Innkeeper: on SIGTERM Rocket stops
/// taking connections at once, while load balancers still send some.
///
/// - SIGTERM: for `drain_secs` `/readyz` says 503 while requests are still taken; then no connection is accepted any
///   more, idle ones are closed, and requests in flight have `redis_timeout_ms` and a second to finish (or what
///   Rocket's `shutdown.grace` and `shutdown.mercy` give them together, where the operator has set `grace`).
/// - SIGINT (Ctrl-C): the same without `drain_secs`.
/// - Either of them again: the end, at once.
/// - SIGHUP changes nothing.
///
/// A shutdown fairing that is attached to this Rocket runs beside Innkeeper's own, and is dropped when that one has
/// closed the store.
///
/// # Errors
///
/// It could not be launched.
pub async fn launch(rocket: Rocket<Build>) -> Result<(), rocket::Error> {
    let is_prepared = rocket.state::<ShutdownTimes>().is_some();
    let rocket = if is_prepared {
        rocket
    } else {
        defaults::for_launch(rocket)
    };
    let (alive, dropped) = oneshot::channel();
    let rocket = rocket.manage(Alive {
        _until_dropped: alive,
    });
    let rocket = rocket.ignite().await?;
    let (Some(graceful), Some(times)) = (
        rocket.state::<GracefulShutdown>().cloned(),
        rocket.state::<ShutdownTimes>().copied(),
    ) else {
        return launch_without_stage(rocket).await;
    };
    let config = &rocket.config().shutdown;
    if !config.signals.contains(&Sig::Hup) {
        tokio::spawn(ignore_hangups());
    }
    let second_signal = shut_down_on_signal(
        Signals::listen(config.ctrlc),
        graceful.readiness,
        rocket.shutdown(),
        times.drain,
    );
    let shutdown = rocket.shutdown();
    let timed_out = async {
        shutdown.await;
        sleep(times.timeout).await;
    };

    let mut launched = Box::pin(rocket.launch());
    let served = async {
        tokio::select! {
            result = &mut launched => return result.map(drop),
            () = graceful.store_closed.notified() => {}
        }
        // Rocket would now wait for its whole `grace` if a single connection is open at this moment. This drops the
        // listener only: each connection lives on in a task of its own, which ends as soon as the connection is idle, and
        // the last of them drops the Rocket.
        drop(launched);
        drop(dropped.await);
        Ok(())
    };
    tokio::select! {
        biased;
        result = served => result,
        () = timed_out => {
            tracing::warn!("ended; connections that did not finish in time were cut");
            Ok(())
        }
        () = second_signal => {
            tracing::warn!("asked again to end: ends at once");
            Ok(())
        }
    }
}

/// It has no readiness and no store: a signal is Rocket's own shutdown.
async fn launch_without_stage(rocket: Rocket<Ignite>) -> Result<(), rocket::Error> {
    let signals = Signals::listen(rocket.config().shutdown.ctrlc);
    let readiness = Readiness::default();
    let second_signal = shut_down_on_signal(signals, readiness, rocket.shutdown(), Duration::ZERO);
    tokio::select! {
        result = rocket.launch() => result.map(drop),
        () = second_signal => Ok(()),
    }
}

/// Shuts Rocket down at the first signal, and returns at the second one.
async fn shut_down_on_signal(
    mut signals: Signals,
    readiness: Readiness,
    shutdown: Shutdown,
    drain: Duration,
) {
    if signals.next().await == SignalKind::terminate() {
        readiness.drain();
        tracing::info!("asked to end: /readyz answers 503, and the process ends in a moment");
        tokio::select! {
            _ = signals.next() => return,
            () = sleep(drain) => {}
        }
    }
    // After SIGINT too: Rocket answers that itself, but listens for it only once it has bound its address.
    shutdown.notify();
    signals.next().await;
}

/// The signals that ask the process to end.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
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

/// SIGHUP ends a process by default. It is sent when a terminal is closed, and by tools to have settings read again.
async fn ignore_hangups() {
    let Some(mut hangups) = listen(SignalKind::hangup(), "SIGHUP") else {
        return;
    };
    while hangups.recv().await.is_some() {
        tracing::info!("SIGHUP changes nothing: settings are read at the launch");
    }
}
