//! Sign-in with a password.

use std::sync::Arc;

use async_trait::async_trait;

use super::hashing::{Busy, Check, HashProblem, StoredHash};
use super::password::Prepared;
use super::{Account, Accounts};
use crate::sign_in::{Authenticator, AuthenticatorError, Credentials, Password, Verified};
use crate::user_name::UserName;

/// Checks passwords against the accounts.
#[derive(Clone, Debug)]
struct PasswordAuthenticator(Accounts);

impl Accounts {
    /// The check of names and passwords against these accounts.
    #[must_use]
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        Arc::new(PasswordAuthenticator(self.clone()))
    }

    /// Verifies a password against an account, or against none, in the same time.
    async fn verify(
        &self,
        user: &UserName,
        account: Option<&Account>,
        password: &Password,
    ) -> Result<Check, Busy> {
        let text = account.and_then(|account| account.password.as_deref());
        let stored = text.and_then(|text| {
            // The name is an account's, so it may be logged.
            let told = |problem: &HashProblem| {
                let error = problem.text();
                tracing::error!(%user, error, "an account's stored hash is unusable");
            };
            StoredHash::parse(text).inspect_err(told).ok()
        });
        let prepared = Prepared::new(password).ok();
        self.hasher.verify(stored, prepared).await
    }

    /// Replaces an imported hash. Without success the next sign-in tries again.
    async fn rehash(&self, user: &UserName, old: &str, new: &str) {
        let rehash = self.store.rehash(user, old, new);
        if let Err(error) = self.sessions.until_deadline(rehash).await {
            tracing::warn!(%user, %error, "an imported password was not hashed anew");
        }
    }
}

#[async_trait]
impl Authenticator for PasswordAuthenticator {
    /// The name itself: names compare exactly. An account that is disabled is one.
    async fn account(&self, typed: &UserName) -> Result<Option<UserName>, AuthenticatorError> {
        let account = self.0.account(typed).await?;
        Ok(account.map(|_| typed.clone()))
    }

    fn tells_accounts(&self) -> bool {
        true
    }

    /// The same is read and computed for every outcome.
    async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Verified>, AuthenticatorError> {
        let user = credentials.user;
        let account = self.0.account(user).await?;
        let check = self.0.verify(user, account.as_ref(), credentials.password);
        let (Check::Right { rehashed }, Some(account)) = (check.await?, account) else {
            return Ok(None);
        };
        if account.disabled {
            return Ok(None);
        }
        if let (Some(old), Some(new)) = (&account.password, rehashed) {
            self.0.rehash(user, old, &new).await;
        }
        Ok(Some(account.verified(user)))
    }

    async fn still_holds(&self, verified: &Verified) -> Result<bool, AuthenticatorError> {
        let account = self.0.account(verified.user()).await?;
        Ok(account.is_some_and(|account| {
            let same = verified.stamp() == Some(account.stamp().as_str());
            same && !account.disabled && !account.is_changing
        }))
    }
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use super::*;
    use crate::account::{Hasher, PasswordPolicy};
    use crate::client::Client;
    use crate::clock::Clock;
    use crate::config::StorePath;
    use crate::session::{Lifetimes, Sessions};
    use crate::store::EmbeddedStore;

    const RIGHT: &str = "correct horse battery staple";
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";

    fn accounts() -> Accounts {
        let lifetimes = Lifetimes {
            idle: std::time::Duration::from_secs(900),
            absolute: None,
        };
        let clock = Clock::start();
        let store = EmbeddedStore::open(&StorePath::Memory, lifetimes, clock.clone());
        let store = Arc::new(store.expect("memory"));
        let sessions = Sessions::new(Arc::clone(&store) as _, lifetimes, 100, None, clock);
        let policy = PasswordPolicy::new(15, "Hilbert's Hotel");
        Accounts::new(store, sessions, Hasher::new(), policy)
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("what a test expects")
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    async fn sign_in(accounts: &Accounts, user: &str, text: &str) -> Option<Verified> {
        let (user, password, client) = (name(user), password(text), Client::default());
        let credentials = Credentials::new(&user, &password, &client);
        let authenticator = accounts.authenticator();
        authenticator
            .authenticate(&credentials)
            .await
            .expect("what a test expects")
    }

    async fn import(accounts: &Accounts, user: &str, hash: &str) {
        let mut told = |_, outcome: Result<_, _>| assert!(outcome.is_ok());
        accounts
            .import(&format!("{user}:{hash}"), &mut told)
            .await
            .expect("what a test expects");
    }

    #[tokio::test]
    async fn who_may_not_sign_in_is_told_so_after_one_of_our_hashes() {
        let accounts = accounts();
        accounts
            .sign_up(&name("amy"), &password(RIGHT))
            .await
            .expect("what a test expects");
        accounts
            .sign_up(&name("disabled"), &password(RIGHT))
            .await
            .expect("what a test expects");
        accounts
            .set_disabled(&name("disabled"), true)
            .await
            .expect("what a test expects");
        accounts
            .add(&name("invited"), None)
            .await
            .expect("what a test expects");
        import(&accounts, "imported", BCRYPT).await;
        import(&accounts, "imported and disabled", BCRYPT).await;
        accounts
            .set_disabled(&name("imported and disabled"), true)
            .await
            .expect("what a test expects");
        let damaged = Account::new(Some("$2y$x".to_owned()), accounts.now());
        assert!(
            accounts
                .store
                .add(&name("damaged"), &damaged)
                .await
                .expect("what a test expects")
        );

        for (user, text, is_right) in [
            ("amy", RIGHT, true),
            ("amy", "correct horse battery stable", false),
            ("amy", "", false),
            ("amy", "control\ncharacters", false),
            ("amy", &"x".repeat(300), false),
            ("unknown", RIGHT, false),
            ("disabled", RIGHT, false),
            ("disabled", "wrong", false),
            ("invited", "", false),
            ("invited", RIGHT, false),
            ("damaged", RIGHT, false),
            ("imported", "wrong", false),
            ("imported and disabled", RIGHT, false),
            ("imported", RIGHT, true),
            ("imported", RIGHT, true),
        ] {
            let computed = accounts.hasher.computed();
            let verified = sign_in(&accounts, user, text).await;
            assert_eq!(verified.is_some(), is_right, "{user}");
            assert_eq!(accounts.hasher.computed() - computed, 1, "{user}");
        }
    }

    #[tokio::test]
    async fn an_imported_hash_is_replaced_at_the_first_success_alone() {
        let accounts = accounts();
        let amy = name("amy");
        import(&accounts, "amy", BCRYPT).await;
        let before = accounts
            .account(&amy)
            .await
            .expect("what a test expects")
            .expect("what a test expects");
        assert_eq!(sign_in(&accounts, "amy", "wrong").await, None);
        assert_eq!(
            accounts
                .account(&amy)
                .await
                .expect("what a test expects")
                .expect("what a test expects"),
            before
        );

        let verified = sign_in(&accounts, "amy", RIGHT)
            .await
            .expect("what a test expects");
        let after = accounts
            .account(&amy)
            .await
            .expect("what a test expects")
            .expect("what a test expects");
        assert!(
            after
                .password
                .as_deref()
                .expect("what a test expects")
                .starts_with("$argon2id$v=19$m=19456,")
        );
        // The account is in the same state as before: nothing that was checked is void.
        assert_eq!(verified.stamp(), Some(before.stamp().as_str()));
        assert_eq!(after.stamp(), before.stamp());
        assert!(
            accounts
                .authenticator()
                .still_holds(&verified)
                .await
                .expect("what a test expects")
        );
        assert_eq!(sign_in(&accounts, "amy", RIGHT).await, Some(verified));
    }

    #[tokio::test]
    async fn a_disabled_account_is_still_one_and_an_unknown_name_is_none() {
        let accounts = accounts();
        accounts
            .add(&name("amy"), None)
            .await
            .expect("what a test expects");
        accounts
            .set_disabled(&name("amy"), true)
            .await
            .expect("what a test expects");
        let authenticator = accounts.authenticator();
        let account = authenticator
            .account(&name("amy"))
            .await
            .expect("what a test expects");
        assert_eq!(account, Some(name("amy")));
        // Names compare exactly.
        assert_eq!(
            authenticator
                .account(&name("Amy"))
                .await
                .expect("what a test expects"),
            None
        );
    }
}
