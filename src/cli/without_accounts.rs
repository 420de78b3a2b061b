//! In place of the commands on accounts, where their feature is missing: there are none.

use std::fmt;
use std::future::Ready;
use std::process::ExitCode;

use clap::Subcommand;
use rocket::figment::Figment;

use crate::config::Config;

/// There is none; `--help` does not list it.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AccountsCommand {}

impl fmt::Display for AccountsCommand {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl AccountsCommand {
    pub(crate) const IS_MISSING: bool = true;

    pub(crate) fn run(&self, _: &Config, _: &Figment) -> Ready<Result<ExitCode, String>> {
        match *self {}
    }
}
