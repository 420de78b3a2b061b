//! The command `settings`: what is in force, and where each setting was set.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::cli::output::print;
use crate::cli::rows::visible;
use crate::cli::table::table;
use crate::config::in_force::{InForce, Owner};
use crate::config::{EnvFile, Origin};

/// How the settings are printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct SettingsArgs {
    /// Prints a JSON array of objects with the fields `owner` (`innkeeper` or `rocket`), `key`, `value`, `source`
    /// (`default`, `file`, `environment`, `env_file`, `secret_file` or `credential`), `variable` and `file`
    #[arg(long)]
    pub(crate) json: bool,
}

/// A setting in JSON.
#[derive(Debug, Serialize)]
struct Row<'a> {
    owner: &'static str,
    key: &'a str,
    value: &'a Value,
    source: &'static str,
    /// The variable that set it, or that names the file which holds it.
    variable: Option<&'a str>,
    file: Option<String>,
}

/// Prints them; `read_from` is the sentence about the files.
pub(crate) fn run(
    args: &SettingsArgs,
    settings: &[InForce],
    env_file: Option<&EnvFile>,
    read_from: &str,
) -> Result<ExitCode, String> {
    let rows: Vec<_> = settings.iter().map(|one| row(one, env_file)).collect();
    print(&if args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        text + "\n"
    } else {
        text(&rows, read_from)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn row<'a>(setting: &'a InForce, env_file: Option<&EnvFile>) -> Row<'a> {
    let (source, variable, file) = source(&setting.origin, env_file);
    Row {
        owner: match setting.owner {
            Owner::Innkeeper => "innkeeper",
            Owner::Rocket => "rocket",
        },
        key: &setting.key,
        value: &setting.value,
        source,
        variable,
        file,
    }
}

/// The kind of source, its variable and its file.
fn source<'a>(
    origin: &'a Origin,
    env_file: Option<&EnvFile>,
) -> (&'static str, Option<&'a str>, Option<String>) {
    match origin {
        Origin::Program => ("default", None, None),
        Origin::File(file) => ("file", None, Some(file.clone())),
        Origin::Environment(name) => {
            let file = env_file.filter(|file| file.variables.contains(name));
            let file = file.map(|file| file.path.display().to_string());
            let source = if file.is_some() {
                "env_file"
            } else {
                "environment"
            };
            (source, Some(name), file)
        }
        Origin::SecretFile { path, named_in } => {
            let (_, variable, _) = source(named_in, env_file);
            ("secret_file", variable, Some(path.display().to_string()))
        }
        Origin::Credential(path) => ("credential", None, Some(path.display().to_string())),
    }
}

/// A table for each owner.
fn text(rows: &[Row<'_>], read_from: &str) -> String {
    let mut text = format!("{read_from}\n");
    for (owner, title) in [("innkeeper", "SETTING"), ("rocket", "ROCKET'S SETTING")] {
        let mut lines = vec![[title, "VALUE", "FROM"].map(str::to_owned)];
        let of_owner = rows.iter().filter(|row| row.owner == owner);
        lines.extend(of_owner.map(|row| [row.key.to_owned(), value(row.value), place(row)]));
        text.push('\n');
        text += &table(&lines);
    }
    text
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => visible(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            visible(&value.to_string())
        }
    }
}

fn place(row: &Row<'_>) -> String {
    let file = row.file.as_deref().unwrap_or_default();
    let variable = row.variable.unwrap_or_default();
    visible(&match (row.source, row.variable) {
        ("environment", _) => variable.to_owned(),
        ("env_file", _) => format!("{variable} in {file}"),
        ("secret_file", Some(_)) => format!("{file}, named by {variable}"),
        ("credential", _) => format!("the credential {file}"),
        ("file" | "secret_file", _) => file.to_owned(),
        _ => row.source.to_owned(),
    })
}
