//! A program, and how it is started.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Server;

#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    path: PathBuf,
    arguments: Vec<&'static str>,
    folder: PathBuf,
    /// The variable that tells it its port.
    port: &'static str,
    variables: Vec<(&'static str, String)>,
}

impl Program {
    /// Listens on `PORT`.
    pub(crate) fn new(name: &'static str, path: PathBuf, folder: &Path) -> Self {
        Self {
            name,
            path,
            arguments: Vec::new(),
            folder: folder.to_owned(),
            port: "PORT",
            variables: Vec::new(),
        }
    }

    /// Innkeeper as an operator runs it.
    pub(crate) fn innkeeper(name: &'static str, folder: &Path) -> Self {
        Self {
            port: "ROCKET_PORT",
            ..Self::new(name, env!("CARGO_BIN_EXE_innkeeper").into(), folder)
        }
    }

    /// This program, see [`crate::alone`].
    pub(crate) fn alone(name: &'static str, folder: &Path) -> Self {
        Self {
            port: "ROCKET_PORT",
            ..Self::new(name, env::current_exe().unwrap(), folder)
        }
        .arguments(&["rocket-alone"])
        .with("ROCKET_LOG_LEVEL", "off")
    }

    pub(crate) fn arguments(mut self, arguments: &[&'static str]) -> Self {
        self.arguments.extend(arguments);
        self
    }

    pub(crate) fn port(self, variable: &'static str) -> Self {
        Self {
            port: variable,
            ..self
        }
    }

    pub(crate) fn with(mut self, variable: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.variables.push((variable, value.to_string()));
        self
    }

    /// As the peers, which write none.
    pub(crate) fn without_request_log(self) -> Self {
        self.with("RUST_LOG", "warn")
    }

    pub(crate) fn is_built(&self) -> bool {
        self.path.is_file()
    }

    /// What it prints goes nowhere.
    pub(crate) fn start(&self) -> Server {
        self.start_printing_to(Stdio::null)
    }

    /// `output`: where what it prints goes, asked once for each of the two streams.
    pub(crate) fn start_printing_to(&self, output: impl Fn() -> Stdio) -> Server {
        let mut command = self.command();
        command.stdout(output()).stderr(output());
        Server::start(self.name, command, self.port)
    }

    /// Without a port, for a command that does not serve.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }
}
