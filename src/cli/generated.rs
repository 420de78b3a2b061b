//! What is generated from the definition of the command line: completions and manual pages.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::output::print;

const NAME: &str = "innkeeper";

/// Which page is written, and where.
#[derive(Args, Clone, Debug)]
pub(crate) struct ManArgs {
    /// The command whose page is printed, such as `sessions end`; without it the program's own
    #[arg(conflicts_with = "folder")]
    command: Vec<String>,
    /// Writes the pages of all commands into this folder instead, as innkeeper.1, innkeeper-doctor.1 and so on
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Prints the script for a shell.
pub(crate) fn completions(mut program: Command, shell: Shell) -> Result<ExitCode, String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut script);
    print_bytes(script)
}

/// Prints one manual page, or writes all of them.
pub(crate) fn man(program: Command, args: &ManArgs) -> Result<ExitCode, String> {
    // It has no page.
    let mut program = program.disable_help_subcommand(true);
    if let Some(folder) = &args.folder {
        return write_all(program, folder);
    }
    // Gives the commands their whole names.
    program.build();
    let mut command = &program;
    for word in &args.command {
        command = command
            .find_subcommand(word)
            .ok_or_else(|| format!("there is no command `{}`", args.command.join(" ")))?;
    }
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).render(&mut page);
    rendered.map_err(|error| error.to_string())?;
    print_bytes(page)
}

fn write_all(program: Command, folder: &Path) -> Result<ExitCode, String> {
    let problem = |error| format!("{} cannot be written to: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(problem)?;
    clap_mangen::generate_to(program, folder).map_err(problem)?;
    Ok(ExitCode::SUCCESS)
}

fn print_bytes(text: Vec<u8>) -> Result<ExitCode, String> {
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
