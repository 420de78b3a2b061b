//! Where the program reads its settings.

use std::collections::HashSet;

use rocket::config::{Ident, Shutdown};
use rocket::figment::providers::{Env, Format, Toml};
use rocket::figment::{Figment, Profile};

/// The program's figment: Rocket's own with four differences. No `Server` header, no client address from a header,
/// none of Rocket's printing, and SIGTERM is left to the program.
///
/// # Errors
///
/// A sentence for the operator: one of Rocket's own settings is wrong.
pub(crate) fn figment() -> Result<Figment, String> {
    let defaults = rocket::Config {
        ident: Ident::none(),
        // Whoever connects could write this header; an operator with a proxy names it.
        ip_header: None,
        // The program answers SIGTERM itself.
        shutdown: Shutdown {
            signals: HashSet::new(),
            ..Shutdown::default()
        },
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
    figment
        .extract::<rocket::Config>()
        .map_err(|error| error.to_string())?;
    Ok(figment)
}
