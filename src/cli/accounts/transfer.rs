//! The commands `accounts import` and `accounts export`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::account::{Accounts, ImportProblem};
use crate::cli::output::{eprint, print};
use crate::user_name::UserName;

/// The most bytes that are imported at once: over 100,000 accounts.
const MAX_BYTES: u64 = 64 << 20;

/// What is imported.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// The file, or `-` for standard input: lines of `htpasswd` with bcrypt or argon2, or what `accounts export` wrote
    file: PathBuf,
}

/// What became of the lines.
#[derive(Default)]
struct Counts {
    imported: usize,
    taken: usize,
    refused: usize,
}

impl ImportArgs {
    /// Reads it whole, before the store is opened: what is piped in may come from a command that has the file of that store.
    pub(super) fn read(&self) -> Result<String, String> {
        let problem = |error: io::Error| format!("{} cannot be read: {error}", self.name());
        let mut text = String::new();
        let reader = open(&self.file).map_err(problem)?;
        let mut reader = reader.take(MAX_BYTES);
        reader.read_to_string(&mut text).map_err(problem)?;
        if reader.limit() == 0 {
            return Err(format!(
                "{} has over {} MiB: split it",
                self.name(),
                MAX_BYTES >> 20
            ));
        }
        Ok(text)
    }

    fn name(&self) -> String {
        if is_standard_input(&self.file) {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        }
    }
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    Ok(if is_standard_input(file) {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file)?)
    })
}

/// Says of each line that is not imported why, by its number: it may hold a password.
pub(super) async fn import(accounts: &Accounts, text: &str) -> Result<ExitCode, String> {
    let (mut counts, mut told) = (Counts::default(), Ok(()));
    let mut line = |number, outcome: Result<UserName, ImportProblem>| {
        match &outcome {
            Ok(_) => counts.imported += 1,
            Err(ImportProblem::Exists) => counts.taken += 1,
            Err(_) => counts.refused += 1,
        }
        if let (Err(problem), Ok(())) = (outcome, &told) {
            told = eprint(&format!("line {number}: {problem}"));
        }
    };
    let outcome = accounts.import(text, &mut line).await;
    told?;
    let accounts = match counts.imported {
        1 => "1 account".to_owned(),
        number => format!("{number} accounts"),
    };
    print(&format!("Imported {accounts}.\n"))?;
    outcome.map_err(|error| format!("the rest was not imported: {error}"))?;
    Ok(ExitCode::from(match counts {
        Counts { refused: 1.., .. } => 2,
        Counts { taken: 1.., .. } => 1,
        Counts { .. } => 0,
    }))
}

/// Writes a line for each account, as it is found.
pub(super) async fn export(accounts: &Accounts) -> Result<ExitCode, String> {
    let mut printed = Ok(());
    let mut found = |line: String| {
        if printed.is_ok() {
            printed = print(&(line + "\n"));
        }
    };
    let outcome = accounts.export(&mut found).await;
    printed?;
    outcome.map_err(|error| format!("these may not be all: {error}"))?;
    Ok(ExitCode::SUCCESS)
}
