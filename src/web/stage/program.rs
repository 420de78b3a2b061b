//! The program's own Rocket.

use rocket::shield::Shield;
use rocket::{Build, Rocket};

use crate::config;
use crate::web::stage::assemble::Assembly;
use crate::web::stage::{defaults, lost_store, template_folder};

/// The whole application, as `cargo run` serves it.
///
/// Its figment is Rocket's own with four differences: no `Server` header, no client address from a header, none of
/// Rocket's printing, and SIGTERM is left to [`launch`](super::launch), which is to serve it. Rocket.toml is read from the
/// working directory and from no folder above, and templates from a `template_dir` that is set, else from
/// `templates/innkeeper` alone.
///
/// # Errors
///
/// A sentence for the operator: a setting is wrong or unknown, or the store cannot be opened.
pub fn rocket() -> Result<Rocket<Build>, String> {
    let (figment, replaced_pages) = template_folder::for_program(config::figment()?)?;
    let rocket = rocket::custom(figment);
    let assembly = Assembly::open(rocket.figment())?;
    let rocket = defaults::with_shutdown_times(rocket, assembly.config())
        .attach(lost_store::shutdown_when_lost())
        // Every answer is ours, so Rocket's default headers would all be replaced.
        .attach(Shield::new())
        .attach(template_folder::engine(replaced_pages));
    Ok(assembly.attach_to(rocket))
}
