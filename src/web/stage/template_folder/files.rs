//! The folder with templates that replace our pages, or that are the application's own.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io, iter};

use rocket::figment::Figment;
use rocket::figment::value::magic::RelativePathBuf;
use rocket::{Build, Rocket};
use rocket_dyn_templates::Template;
use rocket_dyn_templates::tera::{self, Tera};

use crate::web::answers::templates::{self, KeptEngine};

const KEY: &str = "template_dir";

/// The folder that `rocket_dyn_templates` reads by default, and the part of it that the program reads: other templates in the
/// working directory may belong to another program.
const DEFAULT: &str = "templates";
const OURS: &str = "templates/innkeeper";

/// Template files, each with the name that the engine is to give it.
type NamedFiles = Vec<(PathBuf, String)>;

/// The program's folder: the one that `template_dir` names. Where none is set, the files in the working directory that
/// replace our pages are returned, for [`attach_engine`].
///
/// # Errors
///
/// A sentence for the operator: a template cannot be used. (The engine would write it to Rocket's own log, which is off.)
pub(crate) fn for_program(figment: Figment) -> Result<(Figment, NamedFiles), String> {
    match figment.extract_inner::<RelativePathBuf>(KEY) {
        Ok(folder) => {
            let folder = folder.relative();
            check(&folder, &folder, |tera, files| {
                add(tera, files)?;
                templates::add(tera)
            })
            .map_err(|problem| format!("`{KEY}`: {problem}"))?;
            Ok((figment, NamedFiles::new()))
        }
        Err(error) if error.missing() => {
            let ours = Path::new(OURS);
            let replaced = if ours.is_dir() {
                check(Path::new(DEFAULT), ours, |tera, files| {
                    templates::add(tera)?;
                    add(tera, files)
                })?
            } else {
                NamedFiles::new()
            };
            Ok((without_folder(figment), replaced))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The application's own folder, or none.
pub(crate) fn for_application(rocket: Rocket<Build>) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    match figment.extract_inner::<RelativePathBuf>(KEY) {
        Err(error) if error.missing() && !Path::new(DEFAULT).is_dir() => {
            rocket.configure(without_folder(figment))
        }
        _ => rocket,
    }
}

/// `rocket_dyn_templates` does not start unless `template_dir` exists. Our pages are compiled in, so it is given our own
/// executable: a path that exists and contains no template.
fn without_folder(figment: Figment) -> Figment {
    match env::current_exe() {
        Ok(executable) => figment.merge((KEY, executable)),
        Err(_) => figment,
    }
}

/// Attaches the template fairing, which knows our pages and those that replace them.
pub(crate) fn attach_engine(rocket: Rocket<Build>, replaced: NamedFiles) -> Rocket<Build> {
    let kept = Arc::new(KeptEngine::default());
    let rocket = rocket.manage(Arc::clone(&kept));
    rocket.attach(Template::try_custom(move |engines| {
        templates::templates(engines)?;
        add(&mut engines.tera, &replaced)?;
        kept.keep(&engines.tera);
        Ok(())
    }))
}

/// Finds the templates in a part of the folder. As a check it loads them and ours in the engine's order: a template must be
/// loaded after the one that it extends.
fn check(
    folder: &Path,
    part: &Path,
    load: impl FnOnce(&mut Tera, &NamedFiles) -> Result<(), tera::Error>,
) -> Result<NamedFiles, String> {
    let problem = |problem: String| {
        let part = part.display();
        format!("the templates in {part} cannot be used: {problem}")
    };
    let mut paths = Vec::new();
    collect(part, &mut paths).map_err(|error| problem(error.to_string()))?;
    let named: NamedFiles = paths
        .into_iter()
        .filter_map(|path| {
            let name = name(folder, &path)?;
            Some((path, name))
        })
        .collect();
    let mut tera = Tera::default();
    load(&mut tera, &named)
        .and_then(|()| templates::escape(&mut tera))
        .map_err(|error| problem(with_causes(&error)))?;
    Ok(named)
}

/// Adds the templates, which replace those of the same name.
fn add(tera: &mut Tera, named: &NamedFiles) -> Result<(), tera::Error> {
    tera.add_template_files(named.iter().map(|(path, name)| (path, Some(name))))
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

/// The name that `rocket_dyn_templates` gives a template: `innkeeper/login.html.tera` is `innkeeper/login`.
fn name(folder: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(folder).ok()?;
    let name = path.with_extension("").with_extension("");
    Some(name.to_string_lossy().into_owned())
}

/// The error names the file, its sources the line.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let chain = iter::successors(Some(error), |error| (*error).source());
    let texts: Vec<_> = chain
        .map(|error| error.to_string().trim().to_owned())
        .collect();
    texts.join(": ")
}
