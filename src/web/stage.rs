//! Puts everything together: settings -> store -> state -> routes -> catchers.

use std::net::SocketAddr;
use std::sync::Arc;

use rocket::fairing::{self, AdHoc};
use rocket::figment::Figment;
use rocket::figment::value::magic::RelativePathBuf;
use rocket::shield::Shield;
use rocket::{Build, Rocket};
use rocket_dyn_templates::Template;

use super::cookie::SessionCookie;
use super::headers::{HeaderPolicy, SecurityHeaders};
use super::logging::RequestLog;
use super::method::PostStaysPost;
use super::metrics_listener::MetricsListener;
use super::openapi::Document;
use super::request_id::RequestIds;
use super::request_sessions::Patience;
use super::same_origin::Site;
use super::shutdown::{Ending, NoticeOnTerminate, OrderlyEnd};
use super::{assets, catchers, pages, routes};
use crate::config::{self, Config, PublicUrl, StoreChoice};
use crate::session::{Clock, Sessions};
use crate::store::{self, Measured};

/// The whole application, as `cargo run` serves it.
///
/// Its figment is Rocket's own with four differences: no `Server` header, no client address from a header, none of
/// Rocket's printing, and an end on SIGTERM that is announced: for a second `/readyz` says so while requests are
/// still taken, then those in flight have as long as they may wait for their store.
///
/// # Errors
///
/// A sentence for the operator: a setting is wrong, or the store cannot be opened.
pub fn rocket() -> Result<Rocket<Build>, String> {
    let figment = config::figment()?;
    let rocket = rocket::custom(figment);
    let prepared = Prepared::from(rocket.figment())?;
    let rocket = with_grace(rocket, &prepared.config).attach(NoticeOnTerminate);
    Ok(prepared.assemble(with_templates(rocket)))
}

/// Everything that Innkeeper gives to a Rocket application.
///
/// Attach it, and the application has the addresses `/login`, `/profile`, `/logout`, `/sessions`, `/session`,
/// `/healthz` and `/readyz` (and `/`, `/openapi.json` and `/docs`, unless it has an answer of its own there) and four
/// files below `/static`; the store that the settings ask for; the guards [`CurrentSession`](super::CurrentSession),
/// [`PassiveSession`](super::PassiveSession), [`SameOrigin`](super::SameOrigin) and `&`[`Sessions`]; security headers
/// on every answer that does not bring its own; an `X-Request-Id` on every answer and a line in the log for each; with
/// `metrics_address` a listener for Prometheus; and a catcher for errors (unless it registers a default catcher of its
/// own before).
///
/// Settings are read from the table `innkeeper` of the application's figment and from the environment, see
/// [`Config`]; a mistake there stops the launch. Any number of instances can live side by side in one process.
///
/// It brings [`Template::custom`] along, which serves the application's own templates too. An application that
/// attaches a template fairing itself uses [`stage_with_own_templates`].
///
/// Three things hold in the whole application: its own [`Shield`] gives way to Innkeeper's headers (an answer that
/// brings a header itself keeps it), a client's address is that of its connection unless `ip_header` is set, and a
/// form field `_method` does not change a request's method.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("Innkeeper", |rocket| async {
        ignite(with_templates(rocket))
    })
}

/// [`stage()`] without the template fairing, for an application that attaches one of its own.
///
/// That one must know our pages:
///
/// ```
/// use rocket_dyn_templates::Template;
///
/// let rocket = rocket::build()
///     .attach(Template::custom(|engines| {
///         innkeeper::templates(engines).expect("Innkeeper's own templates are valid");
///     }))
///     .attach(innkeeper::stage_with_own_templates());
/// # drop(rocket);
/// ```
#[must_use]
pub fn stage_with_own_templates() -> AdHoc {
    AdHoc::try_on_ignite("Innkeeper", |rocket| async { ignite(rocket) })
}

#[expect(
    clippy::result_large_err,
    reason = "Rocket fixes what an ignite fairing returns"
)]
fn ignite(rocket: Rocket<Build>) -> fairing::Result {
    match Prepared::from(rocket.figment()) {
        Ok(prepared) => Ok(prepared.assemble(rocket)),
        Err(problem) => {
            tracing::error!("{problem}");
            Err(rocket)
        }
    }
}

/// The settings, and the store that they ask for.
struct Prepared {
    config: Config,
    sessions: Sessions,
    /// Only where they are served: who does not ask for metrics does not pay for them.
    metrics: Option<MetricsListener>,
}

impl Prepared {
    fn from(figment: &Figment) -> Result<Self, String> {
        let config = Config::from(figment).map_err(|error| error.to_string())?;
        let clock = Clock::start();
        // Before the store makes files: this is what a second instance fails at.
        let metrics = config.metrics.as_ref().map(MetricsListener::reserve);
        let metrics = metrics.transpose()?;
        let mut store = store::open(&config, clock.clone())?;
        if let Some(listener) = &metrics {
            let measured = Measured::new(store, listener.metrics().registry());
            store = Arc::new(measured.map_err(|error| error.to_string())?);
        }
        let most = config.max_sessions_per_user;
        let sessions = Sessions::new(store, config.lifetimes, most, clock);
        Ok(Self {
            config,
            sessions,
            metrics,
        })
    }

    fn assemble(self, rocket: Rocket<Build>) -> Rocket<Build> {
        let Self {
            config,
            sessions,
            metrics,
        } = self;
        let secure = config.public_url.as_ref().is_some_and(PublicUrl::is_secure);
        let cookie = SessionCookie { secure };
        let document = Document::new(cookie.name(), config.public_url.as_ref());
        let mut rocket = without_ip_header(rocket);
        if let Some(listener) = metrics {
            rocket = rocket
                .manage(Arc::clone(listener.metrics()))
                .attach(listener);
        }
        let rocket = rocket
            .manage(sessions)
            .manage(RequestIds::new())
            .manage(Patience(match &config.store {
                StoreChoice::Redis { .. } => Some(config.redis_timeout),
                // A disk answers, late or with an error.
                StoreChoice::Embedded(_) => None,
            }))
            .manage(cookie)
            .manage(document)
            .manage(HeaderPolicy { hsts: secure })
            // Rocket's default headers are weaker than ours, and would come first.
            .attach(Shield::new())
            .attach(PostStaysPost)
            .attach(SecurityHeaders)
            .attach(RequestLog)
            .attach(OrderlyEnd)
            .attach(announcement(&config))
            .manage(Ending::default())
            .manage(Site::new(config.public_url))
            .mount("/", routes::routes())
            .mount("/static", assets::routes());
        catchers::register(rocket)
    }
}

/// A request in flight may wait for its store, and must be given the time, unless the operator has set it.
fn with_grace(rocket: Rocket<Build>, config: &Config) -> Rocket<Build> {
    let needed = match &config.store {
        StoreChoice::Redis { .. } => config.redis_timeout.as_secs() + 2,
        StoreChoice::Embedded(_) => 2,
    };
    let figment = rocket.figment().clone();
    if is_set(&figment, "shutdown.grace") {
        return rocket;
    }
    rocket.configure(figment.merge(("shutdown.grace", needed)))
}

/// Whether somebody else than Rocket has set one of its keys.
fn is_set(figment: &Figment, key: &str) -> bool {
    figment
        .find_metadata(key)
        .is_some_and(|metadata| !metadata.name.starts_with("rocket::Config"))
}

fn announcement(config: &Config) -> AdHoc {
    let kept = match &config.store {
        StoreChoice::Embedded(location) => format!("the embedded store, in {location}"),
        StoreChoice::Redis { .. } => "Redis".to_owned(),
    };
    AdHoc::on_liftoff("Innkeeper is ready", |rocket| {
        Box::pin(async move {
            let config = rocket.config();
            let at = SocketAddr::new(config.address, config.port);
            tracing::info!("listening on http://{at}, sessions are kept in {kept}");
        })
    })
}

/// Rocket believes `X-Real-IP` from whoever sends it, unless the application has said which header its proxy sets.
fn without_ip_header(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    if is_set(&figment, "ip_header") {
        return rocket;
    }
    rocket.configure(figment.merge(("ip_header", false)))
}

fn with_templates(rocket: Rocket<Build>) -> Rocket<Build> {
    with_template_dir(rocket).attach(Template::try_custom(|engines| {
        pages::templates(engines).map_err(Into::into)
    }))
}

/// The template engine insists on a folder. An application that has none gets one entry that holds no template,
/// its own executable: our pages are compiled in.
fn with_template_dir(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    let configured = figment.extract_inner::<RelativePathBuf>("template_dir");
    match (configured, std::env::current_exe()) {
        (Err(error), Ok(executable))
            if error.missing() && !std::path::Path::new("templates").is_dir() =>
        {
            rocket.configure(figment.merge(("template_dir", executable)))
        }
        _ => rocket,
    }
}
