//! Passwords that are typed, or read from standard input.

use std::io::{self, IsTerminal, Write};

use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::ctrl_c;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::cli::output::eprint;
use crate::sign_in::Password;
use crate::user_name::UserName;

/// The most bytes of a line: more than any password has.
const MAX_BYTES: usize = 4096;

/// Reads one line.
pub(super) async fn from_standard_input() -> Result<Password, String> {
    let read = spawn_blocking(read_line).await;
    read.map_err(|error| error.to_string())?
}

/// Asks at the terminal, twice, and shows nothing of it.
pub(super) async fn ask_twice(name: &UserName) -> Result<Password, String> {
    if !io::stdin().is_terminal() {
        return Err(
            "standard input is no terminal, so nobody can be asked for a password: add --password-stdin to read it from \
             there, or --invite for a link by which the user chooses it"
                .to_owned(),
        );
    }
    let hidden = Hidden::begin().map_err(|error| cannot(&error))?;
    let question = format!("Password for {name}: ");
    let asked = spawn_blocking(move || {
        let first = ask(&question)?;
        let second = ask("Again: ")?;
        if first.expose() == second.expose() {
            Ok(first)
        } else {
            Err("these were two different passwords, so no account was made".to_owned())
        }
    });
    let outcome = tokio::select! {
        asked = asked => asked.map_err(|error| error.to_string()),
        // Otherwise the terminal would stay as it is now.
        _ = ctrl_c() => Err("no account was made".to_owned()),
    };
    drop(hidden);
    outcome?
}

fn ask(question: &str) -> Result<Password, String> {
    eprint_part(question)?;
    read_line()
}

/// Standard error, since standard output may be a file.
fn eprint_part(text: &str) -> Result<(), String> {
    let mut terminal = io::stderr().lock();
    let written = terminal
        .write_all(text.as_bytes())
        .and_then(|()| terminal.flush());
    written.map_err(|error| format!("standard error cannot be written to: {error}"))
}

/// Without `std`'s buffer, which nobody wipes.
fn read_line() -> Result<Password, String> {
    let mut line = Zeroizing::new([0; MAX_BYTES]);
    let mut length = 0;
    loop {
        let rest = line.get_mut(length..).unwrap_or_default();
        if rest.is_empty() {
            return Err(format!(
                "a line on standard input has over {MAX_BYTES} bytes"
            ));
        }
        match rustix::io::read(io::stdin(), rest) {
            Ok(0) => break,
            Ok(read) => {
                let begun = length;
                length += read;
                if line
                    .get(begun..length)
                    .is_some_and(|new| new.contains(&b'\n'))
                {
                    break;
                }
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(cannot(&error.into())),
        }
    }
    let read = line.get(..length).unwrap_or_default();
    let first = read.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = first.strip_suffix(b"\r").unwrap_or(first);
    let text = std::str::from_utf8(first)
        .map_err(|_| "the password on standard input is not UTF-8".to_owned())?;
    Ok(Password::new(text.to_owned()))
}

fn cannot(error: &io::Error) -> String {
    format!("the password cannot be read from standard input: {error}")
}

/// The terminal shows nothing that is typed until this is dropped, but the ends of lines.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before) {
            drop(eprint(&format!(
                "The terminal still hides what is typed ({error}): stty echo"
            )));
        }
    }
}
