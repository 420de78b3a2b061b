//! Other defaults for some of Rocket's settings.

use std::time::Duration;

use rocket::config::{Shutdown, Sig};
use rocket::figment::Figment;
use rocket::{Build, Rocket};

use crate::config::Config;

/// How long the program's end takes, managed by its Rocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShutdownTimes {
    /// How long requests are still taken after `/readyz` has begun to say 503, so that load balancers notice first.
    pub(crate) drain: Duration,
    /// How long requests in flight then have to finish.
    pub(crate) timeout: Duration,
}

/// Rocket's default trusts the header `X-Real-IP`, which any client can send.
///
/// A figment cannot tell Rocket's default from a `rocket::Config` that the application made: both have the same metadata.
/// So the values are compared, and an application that wants that very header sets the key `ip_header`.
pub(crate) fn without_ip_header(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment();
    let header = figment.extract_inner::<String>("ip_header").ok();
    let default = rocket::Config::default().ip_header;
    if is_set(figment, "ip_header") || header.as_deref() != default.as_ref().map(|it| it.as_str()) {
        return rocket;
    }
    let figment = figment.clone().merge(("ip_header", false));
    rocket.configure(figment)
}

/// For an application that [`launch`](crate::launch) serves: leaves SIGTERM to it, and gives requests in flight the time that
/// the settings say. (Settings that cannot be read stop the launch later, where the stage reads them.)
pub(crate) fn for_launch(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment();
    let (Ok(config), Ok(mut shutdown)) = (
        // Which store there is makes no difference here.
        Config::without_store(figment),
        figment.extract_inner::<Shutdown>("shutdown"),
    ) else {
        return rocket;
    };
    shutdown.signals.remove(&Sig::Term);
    let figment = figment
        .clone()
        .merge(("shutdown.signals", shutdown.signals));
    with_shutdown_times(rocket.configure(figment), &config)
}

/// Gives requests in flight as long as they may wait for the store, unless the operator has set `shutdown.grace`.
pub(crate) fn with_shutdown_times(rocket: Rocket<Build>, config: &Config) -> Rocket<Build> {
    let figment = rocket.figment();
    let drain = config.drain;
    if is_set(figment, "shutdown.grace")
        && let Ok(set) = figment.extract_inner::<Shutdown>("shutdown")
    {
        let timeout = Duration::from_secs(u64::from(set.grace) + u64::from(set.mercy));
        return rocket.manage(ShutdownTimes { drain, timeout });
    }
    let timeout = config.shutdown_timeout();
    let grace = config.shutdown_grace();
    let figment = figment.clone().merge(("shutdown.grace", grace));
    rocket
        .configure(figment)
        .manage(ShutdownTimes { drain, timeout })
}

/// Whether one of Rocket's keys is set, other than by Rocket's defaults.
fn is_set(figment: &Figment, key: &str) -> bool {
    figment
        .find_metadata(key)
        .is_some_and(|metadata| !metadata.name.starts_with("rocket::Config"))
}
