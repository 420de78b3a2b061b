//! Accounts with passwords.

use std::sync::Arc;

use rocket::{Build, Rocket};

use crate::account::{Accounts, Hasher, PasswordPolicy};
use crate::config::Config;
use crate::session::Sessions;
use crate::sign_in::Authenticator;
use crate::store::Stores;

/// The site's accounts.
#[derive(Debug)]
pub(crate) struct AccountsOfSite(Accounts);

impl AccountsOfSite {
    /// # Errors
    ///
    /// A sentence for the operator.
    pub(crate) fn open(
        config: &Config,
        stores: &Stores,
        sessions: &Sessions,
    ) -> Result<Self, String> {
        let store = stores.accounts.clone().ok_or(
            "`sign_in` is `password`, and the application's own store keeps no accounts: let it bring its own check, too \
             (`authenticate_with`)",
        )?;
        let policy = PasswordPolicy::new(config.password_min_length, &config.site_name);
        let accounts = Accounts::new(store, sessions.clone(), Hasher::new(), policy);
        Ok(Self(accounts))
    }

    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticator> {
        self.0.authenticator()
    }

    pub(crate) fn manage(self, rocket: Rocket<Build>) -> Rocket<Build> {
        rocket.manage(self.0)
    }
}
