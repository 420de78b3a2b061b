//! Puts everything together: settings -> store -> state -> routes -> catchers.

pub(crate) mod announcement;
pub(crate) mod lost_store;
pub(crate) mod metrics_server;
pub(crate) mod openapi;
pub(crate) mod own_route;
pub(crate) mod shutdown;
pub(crate) mod template_folder;
use std::sync::Arc;
use std::time::Duration;

use rocket::config::Shutdown;
use rocket::fairing::{self, AdHoc};
use rocket::figment::Figment;
use rocket::figment::value::Value;
use rocket::shield::Shield;
use rocket::{Build, Rocket};
use rocket_dyn_templates::Template;

use self::announcement::announcement;
use self::lost_store::EndWithTheStore;
use self::metrics_server::MetricsListener;
use self::own_route::own;
use self::shutdown::{GracefulShutdown, StopTimes};
use self::template_folder::Named;
use crate::clock::Clock;
use crate::config::{self, Config, Location, PublicUrl, StoreChoice};
use crate::session::Sessions;
use crate::store::{self, Measured};
use crate::web::answers::headers::{HeaderPolicy, SecurityHeaders};
use crate::web::answers::{catcher, page};
use crate::web::guards::host::Hosts;
use crate::web::guards::same_origin::Site;
use crate::web::guards::sessions::Patience;
use crate::web::observe::logging::RequestLog;
use crate::web::observe::readiness::Readiness;
use crate::web::observe::request_id::RequestIds;
use crate::web::request::cookie::SessionCookie;
use crate::web::request::method_override::PostStaysPost;
use crate::web::routes;
use crate::web::routes::docs::Document;
use crate::web::routes::static_files;

/// The whole application, as `cargo run` serves it.
///
/// Its figment is Rocket's own with four differences: no `Server` header, no client address from a header, none of
/// Rocket's printing, and SIGTERM is left to [`launch`](super::launch), which is to serve it. Rocket.toml is read from the
/// working directory and from no folder above, and templates from a `template_dir` that is set, else from
/// `templates/innkeeper` alone.
///
/// # Errors
///
/// A sentence for the operator: a setting is wrong or is none, or the store cannot be opened.
pub fn rocket() -> Result<Rocket<Build>, String> {
    let figment = config::figment()?;
    let (figment, replaced_pages) = template_folder::of_the_program(figment)?;
    let rocket = rocket::custom(figment);
    let prepared = Prepared::from(rocket.figment())?;
    let rocket = with_stop_times(rocket, &prepared.config)
        .attach(EndWithTheStore)
        // Every answer is ours, so Rocket's default headers would all be replaced.
        .attach(Shield::new());
    Ok(prepared.assemble(with_templates(rocket, replaced_pages)))
}

/// Everything that Innkeeper gives to a Rocket application.
///
/// Attach it, and the application has the addresses `/`, `/login`, `/profile`, `/logout`, `/sessions`, `/session`,
/// `/healthz`, `/readyz`, `/openapi.json` and `/docs`, and four files below `/static/innkeeper`; the store that the settings
/// ask for; the guards [`CurrentSession`](super::CurrentSession), [`PassiveSession`](super::PassiveSession),
/// [`SameOrigin`](super::SameOrigin) and `&`[`Sessions`]; a line in the log for each request, whose id is in
/// `X-Request-Id`; with `metrics_address` a listener for Prometheus; and a catcher for errors, unless it has a default
/// catcher for `/` itself.
///
/// Settings are read from the table `innkeeper` of the application's figment and from the environment, see
/// [`Config`]; a mistake there stops the launch. Any number of instances can live side by side in one process.
///
/// # What it leaves to the application
///
/// - Its addresses. Where both have a route, the application's answers, and so do its files. That holds for a route of
///   any path too: `#[get("/<page>")]` also answers `/login`, unless it forwards or has a `rank` of 100, say.
/// - Its headers, and those of its [`Shield`](rocket::shield::Shield). Innkeeper's strict headers, its
///   `Content-Security-Policy` above all, are on answers of Innkeeper's alone: its pages, JSON, redirects, files and errors. To
///   an answer of the application's it adds `X-Request-Id`, and `Cache-Control: no-store` if a guard has looked for the
///   session; not where the answer has that header.
/// - Its settings, with one exception: Rocket's default takes a client's address out of `X-Real-IP`, which any client can
///   write; unless `ip_header` is set, it is that of the connection.
/// - Its templates. It brings [`Template::custom`] along, which serves them too; an application that attaches a template
///   fairing itself uses [`stage_with_own_templates`].
///
/// One thing it does take: a form field `_method` does not change a request's method in the whole application, because
/// a form of another site could choose one that is not checked.
///
/// Without `public_url`, and on a loopback address, Innkeeper's routes and guards answer 421 to a request for another host
/// than this machine ([`SameOrigin`](super::SameOrigin) says why).
/// With Rocket's own TLS and no `public_url`, the cookie is `Secure` and the site's origin `https`.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("Innkeeper", |rocket| async {
        let rocket = template_folder::or_none(rocket);
        ignite(with_templates(rocket, Named::new()))
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
        let limit = config.max_sessions_per_user;
        let sessions = Sessions::new(store, config.lifetimes, limit, clock);
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
        let tls = has_tls(rocket.figment());
        let hsts = config.public_url.as_ref().is_some_and(PublicUrl::is_secure);
        let secure = config.public_url.as_ref().map_or(tls, PublicUrl::is_secure);
        let cookie = SessionCookie { secure };
        let allowed = allowed_hosts(rocket.figment(), config.public_url.as_ref());
        let document = openapi::describe(cookie.name(), config.public_url.as_ref(), allowed);
        let readiness = Readiness::default();
        let graceful = GracefulShutdown::new(readiness.clone());
        let mut rocket = without_default_ip_header(rocket);
        if let Some(listener) = metrics {
            rocket = rocket
                .manage(Arc::clone(listener.metrics()))
                .attach(listener);
        }
        let rocket = rocket
            .manage(sessions)
            .manage(RequestIds::new())
            .manage(Patience(
                waits_for_its_store(&config).then_some(config.redis_timeout),
            ))
            .manage(cookie)
            .manage(Document::new(&document))
            .manage(HeaderPolicy { hsts })
            .manage(allowed)
            .attach(PostStaysPost)
            .attach(SecurityHeaders)
            .attach(RequestLog)
            .manage(graceful.clone())
            .attach(graceful)
            .attach(announcement(&config))
            .manage(readiness)
            .manage(Site::new(config.public_url, tls))
            .mount("/", own(routes::routes()))
            .mount("/static/innkeeper", own(static_files::routes()));
        // By a fairing: those that are attached by now come before it, and may register catchers of their own.
        rocket.attach(AdHoc::on_ignite("Innkeeper's catchers", |rocket| async {
            catcher::register(rocket)
        }))
    }
}

fn waits_for_its_store(config: &Config) -> bool {
    config.store != StoreChoice::Embedded(Location::Memory)
}

/// A request under way may wait for its store, and must be given the time, unless the operator has set it.
fn with_stop_times(rocket: Rocket<Build>, config: &Config) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    let drain = config.drain;
    if is_set(&figment, "shutdown.grace")
        && let Ok(set) = figment.extract_inner::<Shutdown>("shutdown")
    {
        let limit = Duration::from_secs(u64::from(set.grace) + u64::from(set.mercy));
        return rocket.manage(StopTimes { drain, limit });
    }
    let limit = config.redis_timeout + Duration::from_secs(1);
    // In whole seconds, and longer: the limit is to come first.
    let grace = limit.as_secs() + 1;
    rocket
        .configure(figment.merge(("shutdown.grace", grace)))
        .manage(StopTimes { drain, limit })
}

/// Whether somebody else than Rocket has set one of its keys.
fn is_set(figment: &Figment, key: &str) -> bool {
    figment
        .find_metadata(key)
        .is_some_and(|metadata| !metadata.name.starts_with("rocket::Config"))
}

/// Rocket's default believes what a visitor writes into `X-Real-IP`.
///
/// A program's own `rocket::Config` is named in the figment as the default is, so the values are compared: whoever means
/// that header sets it by its key.
fn without_default_ip_header(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    let header = figment.extract_inner::<String>("ip_header").ok();
    let default = rocket::Config::default().ip_header;
    if is_set(&figment, "ip_header") || header.as_deref() != default.as_ref().map(|it| it.as_str())
    {
        return rocket;
    }
    rocket.configure(figment.merge(("ip_header", false)))
}

/// An address that Rocket cannot read is Rocket's to report.
fn allowed_hosts(figment: &Figment, public_url: Option<&PublicUrl>) -> Hosts {
    match (public_url, figment.extract_inner("address")) {
        (None, Ok(address)) => Hosts::of(address),
        _ => Hosts::Any,
    }
}

/// Whether the connections are Rocket's own TLS. Its `tls_enabled` says no in a build without that feature, which is no
/// reason to send a cookie in clear text to whoever has set certificates.
fn has_tls(figment: &Figment) -> bool {
    matches!(figment.find_value("tls"), Ok(Value::Dict(..)))
}

/// `replaced`: pages of ours that stand elsewhere than in the engine's own folder.
fn with_templates(rocket: Rocket<Build>, replaced: Named) -> Rocket<Build> {
    rocket.attach(Template::try_custom(move |engines| {
        page::templates(engines)?;
        template_folder::add(&mut engines.tera, &replaced).map_err(Into::into)
    }))
}
