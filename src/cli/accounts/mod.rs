//! The commands `accounts ..`.

mod link;
mod list;
mod transfer;
mod typed;

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rocket::figment::Figment;

use self::link::Links;
use self::list::ListArgs;
use self::transfer::ImportArgs;
use crate::account::{AccountError, Accounts, Hasher, PasswordPolicy};
use crate::cli::output::{eprint, print};
use crate::cli::rows::visible;
use crate::cli::store;
use crate::config::{Config, SignInMode};
use crate::session::Sessions;
use crate::sign_in::{Password, Token};
use crate::user_name::{NameError, UserName};

/// A command on accounts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// Makes an account, and asks for its password without showing it
    ///
    /// Exit status: 0 made, 1 the name is taken, 2 it could not be done.
    Add(AddArgs),
    /// Lists all accounts
    List(ListArgs),
    /// Lets a user sign in no more, and ends the user's sessions
    ///
    /// Exit status of this and the following: 0 done, 1 there is no such account, 2 it could not be done; then do it again.
    Disable(NameArgs),
    /// Lets a user sign in again
    Enable(NameArgs),
    /// Removes an account, and ends the user's sessions
    Remove(NameArgs),
    /// Prints a link by which the user chooses a new password, once, within a day
    ///
    /// Until then the old one is valid.
    Reset(NameArgs),
    /// Makes accounts from a file; those that exist are left as they are
    ///
    /// Exit status: 0 all are there, 1 some names are taken by other accounts, 2 some lines were refused, or it could not be
    /// done. It can be done again.
    Import(ImportArgs),
    /// Prints all accounts as lines of JSON, with the hashes of their passwords, for `accounts import`
    Export,
}

/// Which account is made, and how its password comes to be.
#[derive(Args, Clone, Debug)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    account: NameArgs,
    /// Reads the password from standard input, one line
    #[arg(long, conflicts_with = "invite")]
    password_stdin: bool,
    /// Prints a link by which the user chooses the password, once, within a day
    #[arg(long)]
    invite: bool,
}

/// Which account.
#[derive(Args, Clone, Debug)]
pub(crate) struct NameArgs {
    /// The user's name
    #[arg(value_parser = parse_name)]
    name: UserName,
}

fn parse_name(text: &str) -> Result<UserName, NameError> {
    UserName::parse(text)
}

impl fmt::Display for AccountsCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add(_) => "add",
            Self::List(_) => "list",
            Self::Disable(_) => "disable",
            Self::Enable(_) => "enable",
            Self::Remove(_) => "remove",
            Self::Reset(_) => "reset",
            Self::Import(_) => "import",
            Self::Export => "export",
        })
    }
}

impl AccountsCommand {
    pub(crate) const IS_MISSING: bool = false;

    /// `figment`: Rocket's own settings, for the address in a link.
    pub(crate) async fn run(&self, config: &Config, figment: &Figment) -> Result<ExitCode, String> {
        match self {
            Self::Add(args) if args.invite => {
                let links = Links::new(config, figment)?;
                let name = &args.account.name;
                with_accounts(config, async |accounts| {
                    told(name, accounts.invite(name).await, |token| {
                        print_link(config, &links, name, &token)
                    })
                })
                .await
            }
            Self::Add(args) => add(config, args).await,
            Self::List(args) => {
                with_accounts(config, async |accounts| args.run(&accounts).await).await
            }
            Self::Disable(NameArgs { name }) => set_disabled(config, name, true).await,
            Self::Enable(NameArgs { name }) => set_disabled(config, name, false).await,
            Self::Remove(NameArgs { name }) => {
                with_accounts(config, async |accounts| {
                    told(name, accounts.remove(name).await, |ended| {
                        print(&format!("Removed {name}; {}.\n", number_of_sessions(ended)))
                    })
                })
                .await
            }
            Self::Reset(NameArgs { name }) => {
                let links = Links::new(config, figment)?;
                with_accounts(config, async |accounts| {
                    told(name, accounts.reset(name).await, |token| {
                        print_link(config, &links, name, &token)
                    })
                })
                .await
            }
            Self::Import(args) => {
                let text = args.read()?;
                with_accounts(config, async |accounts| {
                    transfer::import(&accounts, &text).await
                })
                .await
            }
            Self::Export => {
                with_accounts(config, async |accounts| transfer::export(&accounts).await).await
            }
        }
    }
}

/// Opens the accounts for as long as it takes: the embedded store's file is then this process's.
async fn with_accounts(
    config: &Config,
    work: impl AsyncFnOnce(Accounts) -> Result<ExitCode, String>,
) -> Result<ExitCode, String> {
    let (stores, sessions) = store::open(config).await?;
    // Every store of ours keeps accounts.
    let accounts = stores.accounts.ok_or("the store keeps no accounts")?;
    let policy = PasswordPolicy::new(config.password_min_length, config.site_name.as_str());
    let accounts = Accounts::new(accounts, sessions.clone(), Hasher::default(), policy);
    let outcome = work(accounts).await;
    Sessions::close(&sessions).await;
    outcome
}

async fn add(config: &Config, args: &AddArgs) -> Result<ExitCode, String> {
    let name = &args.account.name;
    // Before the store is opened: a server that starts meanwhile needs its file.
    let password: Password = if args.password_stdin {
        typed::from_standard_input().await?
    } else {
        typed::ask_twice(name).await?
    };
    with_accounts(config, async |accounts| {
        told(name, accounts.add(name, Some(&password)).await, |()| {
            print(&format!("Made an account for {name}.\n"))?;
            note_open_sign_in(config)
        })
    })
    .await
}

async fn set_disabled(
    config: &Config,
    name: &UserName,
    disabled: bool,
) -> Result<ExitCode, String> {
    with_accounts(config, async |accounts| {
        told(name, accounts.set_disabled(name, disabled).await, |ended| {
            print(&if disabled {
                format!("Disabled {name}; {}.\n", number_of_sessions(ended))
            } else {
                format!("Enabled {name}.\n")
            })
        })
    })
    .await
}

/// Reports the outcome of a step on the account of this name.
fn told<T>(
    name: &UserName,
    outcome: Result<T, AccountError>,
    report: impl FnOnce(T) -> Result<(), String>,
) -> Result<ExitCode, String> {
    match outcome {
        Ok(done) => report(done).map(|()| ExitCode::SUCCESS),
        Err(AccountError::NoAccount) => not_done(&format!("{name} has no account.")),
        Err(AccountError::NameTaken) => not_done(&format!(
            "{name} has an account already; `innkeeper accounts reset` gives it a new password."
        )),
        Err(AccountError::NotAllEnded { ended, error }) => Err(format!(
            "{name} cannot sign in any more, and {}, but others may still be active ({error}): do it again",
            number_of_sessions(ended)
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn not_done(why: &str) -> Result<ExitCode, String> {
    eprint(why)?;
    Ok(ExitCode::from(1))
}

fn number_of_sessions(number: usize) -> String {
    match number {
        0 => "no session was active".to_owned(),
        1 => "1 session was ended".to_owned(),
        number => format!("{number} sessions were ended"),
    }
}

/// The link alone on standard output, so that a script can take it from there.
fn print_link(
    config: &Config,
    links: &Links,
    name: &UserName,
    token: &Token,
) -> Result<(), String> {
    eprint(&format!(
        "By this link {} chooses a password. It can be used once, within a day; whoever has it can use it:",
        visible(name.as_str())
    ))?;
    print(&format!("{}\n", links.invitation(token)))?;
    note_open_sign_in(config)
}

/// Accounts can be made before they are used.
fn note_open_sign_in(config: &Config) -> Result<(), String> {
    match config.sign_in {
        SignInMode::Password => Ok(()),
        SignInMode::Open => eprint(
            "Accounts are used once the server has been started with `sign_in = \"password\"`; it is `open` now, and a name \
             is enough to sign in.",
        ),
    }
}
