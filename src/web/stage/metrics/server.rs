//! The metrics server, on an address of its own.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rocket::config::{Ident, Shutdown as ShutdownConfig};
use rocket::fairing::{AdHoc, Fairing, Info, Kind};
use rocket::http::{ContentType, Status};
use rocket::shield::Shield;
use rocket::{Build, Orbit, Rocket, Shutdown, State, async_trait, get};
use tokio::sync::oneshot;

use crate::config::MetricsAddress;
use crate::session::{SessionStore, Sessions};
use crate::store::InstrumentedStore;
use crate::web::answers::catcher;
use crate::web::answers::{Refusal, SecurityHeaders};
use crate::web::observe::{Metrics, Readiness};
use crate::web::request::{Hosts, NoMethodOverride, PublicOrigin};
use crate::web::routes;
use crate::web::site::SitePath;

/// Serves `/metrics`, `/healthz` and `/readyz` by a second Rocket as long as the first one serves.
///
/// It also ends when this value is dropped: Rocket's local client, which tests use, runs no shutdown fairing.
pub(crate) struct MetricsServer {
    /// Bound before the launch, so that a port that is in use stops it. Rocket binds its address itself, so this listener is
    /// closed just before.
    reserved: Mutex<Option<TcpListener>>,
    metrics: Arc<Metrics>,
    shutdown: OnceLock<Shutdown>,
}

impl MetricsServer {
    pub(crate) fn open(setting: &MetricsAddress) -> Result<Self, String> {
        let MetricsAddress { address, source } = setting;
        let reserved = TcpListener::bind(address)
            .map_err(|error| format!("{source}: {address} cannot be bound ({error})"))?;
        Ok(Self {
            reserved: Mutex::new(Some(reserved)),
            metrics: Arc::new(Metrics::new(&Refusal::REASONS).map_err(|error| error.to_string())?),
            shutdown: OnceLock::new(),
        })
    }

    /// The store, with its operations timed and counted.
    pub(crate) fn instrument(
        &self,
        store: Arc<dyn SessionStore>,
    ) -> Result<Arc<dyn SessionStore>, String> {
        let instrumented = InstrumentedStore::new(store, self.metrics.registry());
        Ok(Arc::new(instrumented.map_err(|error| error.to_string())?))
    }

    /// Lets the Rocket count, and serve the counters.
    pub(crate) fn attach_to(self, rocket: Rocket<Build>) -> Rocket<Build> {
        rocket.manage(Arc::clone(&self.metrics)).attach(self)
    }

    /// Returns once the server accepts connections.
    async fn serve(&self, address: SocketAddr, first: &Rocket<Orbit>) -> Result<(), String> {
        let config = rocket::Config {
            address: address.ip(),
            port: address.port(),
            ident: Ident::none(),
            ip_header: None,
            // Rocket has one logger for all instances, and each sets its level.
            log_level: first.config().log_level,
            cli_colors: first.config().cli_colors,
            shutdown: ShutdownConfig {
                ctrlc: false,
                signals: HashSet::new(),
                force: false,
                ..ShutdownConfig::default()
            },
            ..rocket::Config::default()
        };
        let (up, served) = oneshot::channel();
        let mut second = rocket::custom(config)
            .manage(Arc::clone(&self.metrics))
            .manage(PublicOrigin::new(
                None,
                false,
                Hosts::new(address.ip()),
                Vec::new(),
            ))
            .attach(Shield::new())
            .attach(NoMethodOverride)
            .attach(SecurityHeaders)
            .attach(AdHoc::on_liftoff("Metrics are served", |_| {
                Box::pin(async move {
                    // Fails only if the launch of the first Rocket was abandoned meanwhile.
                    let _sent = up.send(());
                })
            }))
            .mount("/", routes::own(rocket::routes![scrape]))
            .mount("/", routes::own(routes::health()));
        second = catcher::register(second, &SitePath::default());
        if let Some(sessions) = first.state::<Sessions>() {
            second = second.manage::<Sessions>(sessions.clone());
        }
        if let Some(readiness) = first.state::<Readiness>() {
            second = second.manage::<Readiness>(readiness.clone());
        }
        let second = second.ignite().await.map_err(|error| message(&error))?;
        self.shutdown.get_or_init(|| second.shutdown());
        let launch = tokio::spawn(async {
            let ended = second.launch().await;
            ended.map(drop).map_err(|error| message(&error))
        });
        if served.await.is_ok() {
            return Ok(());
        }
        launch
            .await
            .unwrap_or_else(|_| Err("its server panicked".to_owned()))
    }

    fn end(&self) {
        if let Some(shutdown) = self.shutdown.get() {
            shutdown.clone().notify();
        }
    }
}

/// A `rocket::Error` that is dropped panics unless its kind was read.
fn message(error: &rocket::Error) -> String {
    error.kind().to_string()
}

#[async_trait]
impl Fairing for MetricsServer {
    fn info(&self) -> Info {
        Info {
            name: "Metrics",
            kind: Kind::Liftoff | Kind::Shutdown,
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let reserved = self.reserved.lock();
        let Some(reserved) = reserved.unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let address = reserved.local_addr();
        drop(reserved);
        let served = match address {
            Ok(address) => self.serve(address, rocket).await.map(|()| address),
            Err(error) => Err(error.to_string()),
        };
        match served {
            Ok(address) => tracing::info!("metrics are at http://{address}/metrics"),
            // Sessions work without it, and Prometheus reports that it cannot scrape.
            Err(error) => tracing::error!(error, "the metrics cannot be served"),
        }
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        self.end();
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.end();
    }
}

#[get("/metrics")]
async fn scrape(
    metrics: &State<Arc<Metrics>>,
    sessions: &Sessions,
) -> Result<(ContentType, String), Status> {
    match metrics.text(&sessions.stats().await) {
        Ok(text) => Ok((text_format(), text)),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            Err(Status::InternalServerError)
        }
    }
}

/// Prometheus' text format, as its documentation spells it.
fn text_format() -> ContentType {
    ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")])
}
