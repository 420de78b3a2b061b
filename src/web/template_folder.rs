//! The folder with templates that stand beside ours, or in their place.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use rocket::figment::Figment;
use rocket::figment::value::magic::RelativePathBuf;
use rocket::{Build, Rocket};
use rocket_dyn_templates::tera::Tera;

use super::pages;

const KEY: &str = "template_dir";

/// The program's folder: the one that `template_dir` names, and no other. What lies in a `templates` of the working
/// directory is somebody else's.
///
/// # Errors
///
/// A sentence for the operator: a template in the folder cannot be used. (The engine would tell it to Rocket's own log,
/// which is off.)
pub(super) fn of_the_program(figment: Figment) -> Result<Figment, String> {
    match figment.extract_inner::<RelativePathBuf>(KEY) {
        Ok(folder) => check(&folder.relative()).map(|()| figment),
        Err(error) if error.missing() => Ok(without(figment)),
        Err(error) => Err(error.to_string()),
    }
}

/// The application's own folder, or none.
pub(super) fn or_none(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    match figment.extract_inner::<RelativePathBuf>(KEY) {
        Err(error) if error.missing() && !Path::new("templates").is_dir() => {
            rocket.configure(without(figment))
        }
        _ => rocket,
    }
}

/// `rocket_dyn_templates` does not start unless `template_dir` exists. Our pages are compiled in, so it is given our own
/// executable: a path that exists and contains no template.
fn without(figment: Figment) -> Figment {
    match env::current_exe() {
        Ok(executable) => figment.merge((KEY, executable)),
        Err(_) => figment,
    }
}

/// Loads the folder's templates as the engine will.
fn check(folder: &Path) -> Result<(), String> {
    let problem = |problem: String| {
        let folder = folder.display();
        format!("the templates in {folder} (`{KEY}`) cannot be used: {problem}")
    };
    let mut paths = Vec::new();
    collect(folder, &mut paths).map_err(|error| problem(error.to_string()))?;
    let named = paths.iter().map(|path| (path, name(folder, path)));
    let mut tera = Tera::default();
    tera.add_template_files(named)
        .and_then(|()| pages::add(&mut tera))
        .map_err(|error| problem(with_causes(&error)))
}

/// All files that the engine takes for templates.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "tera")
        {
            found.push(path);
        }
    }
    Ok(())
}

/// As `rocket_dyn_templates` names them: `innkeeper/login.html.tera` is `innkeeper/login`.
fn name(folder: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(folder).ok()?;
    let name = path.with_extension("").with_extension("");
    Some(name.to_string_lossy().into_owned())
}

/// The engine names the file, its causes the line.
fn with_causes(error: &dyn Error) -> String {
    let mut told = vec![error.to_string().trim().to_owned()];
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push(error.to_string().trim().to_owned());
        cause = error.source();
    }
    told.join(": ")
}
