//! Accounts as lines of text: ours to move them between stores, and those of `htpasswd`.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::hashing::{HashProblem, StoredHash};
use super::{Account, Accounts};
use crate::clock::{from_unix_micros, unix_micros};
use crate::session::StoreError;
use crate::user_name::{NameError, UserName};

/// Why one line was not imported. It quotes nothing of it: there may be a hash in it, or a password in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportProblem {
    /// Neither of the two formats.
    #[error("it is neither NAME:HASH nor a line of `accounts export`")]
    Format,
    /// The name is none that may sign in.
    #[error("{0}")]
    Name(NameError),
    /// No password could be verified with the hash.
    #[error("{0}")]
    Hash(&'static str),
    /// There is an account of this name, which is left as it is.
    #[error("an account of this name exists already")]
    Exists,
}

/// One account, as a line of JSON.
#[derive(Serialize, Deserialize)]
struct Line {
    name: String,
    /// Absent: no password has been chosen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// In microseconds since 1970, as `changed`.
    created: u64,
    changed: u64,
    #[serde(default)]
    disabled: bool,
}

impl Accounts {
    /// Passes each account to `line` as JSON without a line break: what [`import`](Self::import) reads. It holds the hashes of
    /// the passwords, but no password.
    ///
    /// # Errors
    ///
    /// `line` has not seen all of them.
    pub async fn export(&self, line: &mut (dyn FnMut(String) + Send)) -> Result<(), StoreError> {
        let mut unwritable = None;
        let mut found = |user: UserName, account: Account| {
            let written = serde_json::to_string(&Line {
                name: user.as_str().to_owned(),
                password: account.password,
                created: unix_micros(account.created),
                changed: unix_micros(account.changed),
                disabled: account.disabled,
            });
            match written {
                Ok(text) => line(text),
                Err(error) => unwritable = Some(StoreError::Failed(error.to_string())),
            }
        };
        self.store.list(&mut found).await?;
        unwritable.map_or(Ok(()), Err)
    }

    /// Makes the accounts that the lines of a text describe: `NAME:HASH` as `htpasswd` writes it, with bcrypt or argon2, or
    /// what [`export`](Self::export) wrote. Empty lines and those that begin with `#` are passed over. Accounts that exist
    /// are left as they are, so the same text may be imported again.
    ///
    /// `told`: the number of each line, and what became of it.
    ///
    /// # Errors
    ///
    /// The store could not do it; the rest of the lines is not imported.
    pub async fn import(
        &self,
        text: &str,
        told: &mut (dyn FnMut(usize, Result<UserName, ImportProblem>) + Send),
    ) -> Result<(), StoreError> {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let outcome = match parse(line, self.now()) {
                Ok((user, account)) => {
                    let add = self.store.add(&user, &account);
                    let added = self.sessions.until_deadline(add).await?;
                    added.then_some(user).ok_or(ImportProblem::Exists)
                }
                Err(problem) => Err(problem),
            };
            told(number, outcome);
        }
        Ok(())
    }
}

fn parse(line: &str, now: SystemTime) -> Result<(UserName, Account), ImportProblem> {
    let name = |text: &str| UserName::parse(text).map_err(ImportProblem::Name);
    if line.starts_with('{') {
        let line: Line = serde_json::from_str(line).map_err(|_| ImportProblem::Format)?;
        let account = Account {
            created: from_unix_micros(line.created),
            changed: from_unix_micros(line.changed),
            disabled: line.disabled,
            ..Account::new(line.password, now)
        };
        if let Some(hash) = &account.password {
            check(hash)?;
        }
        return Ok((name(&line.name)?, account));
    }
    // No name that `htpasswd` takes contains a colon, and no hash.
    let (user, hash) = line.split_once(':').ok_or(ImportProblem::Format)?;
    check(hash)?;
    Ok((name(user)?, Account::new(Some(hash.to_owned()), now)))
}

fn check(hash: &str) -> Result<(), ImportProblem> {
    let parsed = StoredHash::parse(hash);
    let problem = |problem: HashProblem| ImportProblem::Hash(problem.text());
    parsed.map(drop).map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";

    fn now() -> SystemTime {
        from_unix_micros(1_764_512_345_000_006)
    }

    fn problem(line: &str) -> ImportProblem {
        let problem = parse(line, now()).unwrap_err();
        assert!(!problem.to_string().contains("secret"), "{problem}");
        problem
    }

    #[test]
    fn a_line_of_htpasswd_is_an_account() {
        let (user, account) = parse(&format!("Zoe\u{308}:{BCRYPT}"), now()).unwrap();
        assert_eq!(user.as_str(), "Zo\u{eb}");
        assert_eq!(account, Account::new(Some(BCRYPT.to_owned()), now()));
    }

    #[test]
    fn what_was_exported_is_read_back() {
        let written = Line {
            name: "amy".to_owned(),
            password: Some(BCRYPT.to_owned()),
            created: 1_700_000_000_000_001,
            changed: 1_700_000_000_000_002,
            disabled: true,
        };
        let line = serde_json::to_string(&written).unwrap();
        let (user, account) = parse(&line, now()).unwrap();
        assert_eq!(user.as_str(), "amy");
        assert_eq!(account.password.as_deref(), Some(BCRYPT));
        assert_eq!(unix_micros(account.created), written.created);
        assert_eq!(unix_micros(account.changed), written.changed);
        assert!(account.disabled && !account.is_changing);
    }

    #[test]
    fn an_account_without_a_password_is_exported_without_one() {
        let line = r#"{"name":"amy","created":1,"changed":1}"#;
        let (_, account) = parse(line, now()).unwrap();
        assert_eq!(account.password, None);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_without_quoting_it() {
        for line in [
            "secret",
            "{",
            r#"{"name":"amy","secret":1}"#,
            r#"{"name":["secret"]}"#,
        ] {
            assert_eq!(problem(line), ImportProblem::Format, "{line}");
        }
        for line in [
            "amy:secret",
            "amy:",
            "amy:{SHA}secret",
            "amy:$apr1$secret$secret",
            r#"{"name":"amy","password":"secret","created":1,"changed":1}"#,
        ] {
            assert_eq!(
                problem(line),
                ImportProblem::Hash(HashProblem::Unknown.text()),
                "{line}"
            );
        }
        let costly = BCRYPT.replace("$04$", "$15$");
        assert_eq!(
            problem(&format!("amy:{costly}")),
            ImportProblem::Hash(HashProblem::BcryptCost.text())
        );
        assert_eq!(
            problem(&format!(":{BCRYPT}")),
            ImportProblem::Name(NameError::Empty)
        );
        assert_eq!(
            problem(&format!("secret\u{202e}:{BCRYPT}")),
            ImportProblem::Name(NameError::Forbidden)
        );
    }
}
