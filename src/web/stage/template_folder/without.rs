//! In place of the folder with templates, where the feature `pages` is missing.

use rocket::figment::Figment;
use rocket::{Build, Rocket};

const KEY: &str = "template_dir";

/// There are none.
type NamedFiles = Vec<()>;

/// A setting is never ignored: a folder that is named, and means nothing, is an error.
pub(crate) fn for_program(figment: Figment) -> Result<(Figment, NamedFiles), String> {
    if figment.contains(KEY) {
        return Err(format!(
            "`{KEY}` is for pages, and this was built without Innkeeper's feature `pages`"
        ));
    }
    Ok((figment, NamedFiles::new()))
}

/// `template_dir` is the application's own.
pub(crate) fn for_application(rocket: Rocket<Build>) -> Rocket<Build> {
    rocket
}

/// There is none.
pub(crate) fn attach_engine(rocket: Rocket<Build>, _: NamedFiles) -> Rocket<Build> {
    rocket
}
