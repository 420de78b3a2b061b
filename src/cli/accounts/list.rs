//! The command `accounts list`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::account::{Account, Accounts};
use crate::cli::output::print;
use crate::cli::rows::visible;
use crate::cli::table::table;
use crate::clock::rfc3339;
use crate::user_name::UserName;

/// How accounts are listed.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// Prints a JSON array of objects with the fields `user`, `state` (`active`, `invited`: no password has been chosen yet, or
    /// `disabled`), `created_at` and `password_changed_at`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    user: String,
    state: &'static str,
    created_at: String,
    password_changed_at: Option<String>,
}

impl Row {
    fn new(user: &str, account: &Account) -> Self {
        let has_password = account.password.is_some();
        Self {
            user: user.to_owned(),
            state: match (account.disabled, has_password) {
                (true, _) => "disabled",
                (false, true) => "active",
                (false, false) => "invited",
            },
            created_at: rfc3339(account.created),
            password_changed_at: has_password.then(|| rfc3339(account.changed)),
        }
    }

    fn cells(&self) -> [String; 4] {
        [
            visible(&self.user),
            self.state.to_owned(),
            self.created_at.clone(),
            self.password_changed_at
                .clone()
                .unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

impl ListArgs {
    pub(super) async fn run(&self, accounts: &Accounts) -> Result<ExitCode, String> {
        // Sorted, and each once: a store may pass one twice.
        let mut rows = BTreeMap::new();
        let mut found = |user: UserName, account| {
            let user = user.as_str().to_owned();
            rows.insert(user.clone(), Row::new(&user, &account));
        };
        let outcome = accounts.list(&mut found).await;
        let rows: Vec<_> = rows.into_values().collect();
        // Also after an error, what was found is shown.
        if !rows.is_empty() || outcome.is_ok() {
            print(&self.text(&rows)?)?;
        }
        match outcome {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(problem) if rows.is_empty() => Err(problem.to_string()),
            Err(problem) => Err(format!("these may not be all: {problem}")),
        }
    }

    fn text(&self, rows: &[Row]) -> Result<String, String> {
        if self.json {
            let text = serde_json::to_string_pretty(rows).map_err(|error| error.to_string())?;
            return Ok(text + "\n");
        }
        if rows.is_empty() {
            return Ok("Nobody has an account.\n".to_owned());
        }
        let titles = ["USER", "STATE", "CREATED AT", "PASSWORD CHANGED AT"].map(str::to_owned);
        let lines: Vec<_> = [titles]
            .into_iter()
            .chain(rows.iter().map(Row::cells))
            .collect();
        Ok(table(&lines))
    }
}
