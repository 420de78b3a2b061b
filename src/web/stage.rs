//! Puts everything together: settings -> store -> state -> routes -> catchers.

use rocket::config::Ident;
use rocket::fairing::{self, AdHoc};
use rocket::figment::providers::{Env, Format, Toml};
use rocket::figment::value::magic::RelativePathBuf;
use rocket::figment::{Figment, Profile};
use rocket::shield::Shield;
use rocket::{Build, Rocket};
use rocket_dyn_templates::Template;

use super::cookie::SessionCookie;
use super::headers::{HeaderPolicy, SecurityHeaders};
use super::logging::RequestLog;
use super::method::PostStaysPost;
use super::same_origin::Site;
use super::{assets, catchers, pages, routes};
use crate::config::{Config, PublicUrl, StoreChoice};
use crate::session::{Clock, Sessions};
use crate::store;

/// The whole application, as `cargo run` serves it.
#[must_use]
pub fn rocket() -> Rocket<Build> {
    let defaults = rocket::Config {
        ident: Ident::none(),
        // Whoever connects could write this header; an operator with a proxy names it.
        ip_header: None,
        ..rocket::Config::default()
    };
    let figment = Figment::from(defaults)
        .merge(Toml::file(Env::var_or("ROCKET_CONFIG", "Rocket.toml")).nested())
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE"]).global())
        .select(Profile::from_env_or(
            "ROCKET_PROFILE",
            rocket::Config::DEFAULT_PROFILE,
        ))
        // Not a default but a rule: Rocket's own printing shows cookies and bodies. The log is ours.
        .merge(("log_level", "off"));
    rocket::custom(figment).attach(stage())
}

/// Everything that Innkeeper gives to a Rocket application.
///
/// Attach it, and the application has the addresses `/login`, `/profile` and `/logout` (and `/`, unless it has a
/// page of its own there), the store that the settings ask for, the guard [`CurrentSession`](super::CurrentSession),
/// managed [`Sessions`], security headers on every answer that does not bring its own, and a catcher for errors
/// (unless it registers a default catcher of its own before).
///
/// Settings are read from the table `innkeeper` of the application's figment and from the environment, see
/// [`Config`]; a mistake there stops the launch. Any number of instances can live side by side in one process.
///
/// It brings [`Template::custom`] along, which serves the application's own templates too. An application that
/// attaches a template fairing itself uses [`stage_with_own_templates`].
///
/// A form field `_method` does not change a request's method, in the whole application.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("Innkeeper", |rocket| async {
        let rocket = with_template_dir(rocket).attach(Template::try_custom(|engines| {
            pages::templates(engines).map_err(Into::into)
        }));
        ignite(rocket)
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
    let assembled = Config::from(rocket.figment())
        .map_err(|error| error.to_string())
        .and_then(|config| {
            let clock = Clock::start();
            let store = store::open(&config, clock)?;
            Ok((Sessions::new(store, config.lifetimes, clock), config))
        });
    match assembled {
        Ok((sessions, config)) => Ok(assemble(rocket, sessions, &config)),
        Err(problem) => {
            tracing::error!("{problem}");
            Err(rocket)
        }
    }
}

fn assemble(rocket: Rocket<Build>, sessions: Sessions, config: &Config) -> Rocket<Build> {
    let secure = config.public_url.as_ref().is_some_and(PublicUrl::is_secure);
    let policy = HeaderPolicy { hsts: secure };
    let kept = match &config.store {
        StoreChoice::Embedded(location) => format!("the embedded store, in {location}"),
        StoreChoice::Redis { .. } => "Redis".to_owned(),
    };
    let at_shutdown = sessions.clone();
    let rocket = rocket
        .manage(sessions)
        .manage(SessionCookie { secure })
        .manage(Site::new(config.public_url.clone()))
        .manage(policy)
        // Rocket's default headers are weaker than ours, and would come first.
        .attach(Shield::new())
        .attach(PostStaysPost)
        .attach(SecurityHeaders)
        .attach(RequestLog)
        .attach(AdHoc::on_liftoff("Innkeeper is ready", move |rocket| {
            Box::pin(async move {
                let config = rocket.config();
                tracing::info!(
                    "listening on http://{}:{}, sessions are kept in {kept}",
                    config.address,
                    config.port
                );
            })
        }))
        .attach(AdHoc::on_shutdown(
            "Innkeeper closes its store",
            move |_| Box::pin(async move { at_shutdown.close().await }),
        ))
        .mount("/", routes::routes())
        .mount("/static", assets::routes());
    let has_default_catcher = rocket
        .catchers()
        .any(|catcher| catcher.code.is_none() && catcher.base == "/");
    if has_default_catcher {
        rocket
    } else {
        rocket.register("/", catchers::catchers())
    }
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
