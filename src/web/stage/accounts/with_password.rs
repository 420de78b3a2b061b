//! Accounts with passwords.

use std::sync::Arc;

use rocket::{Build, Rocket};

use crate::config::Config;
use crate::session::Sessions;
use crate::sign_in::Authenticator;
use crate::store::Stores;

/// The site's accounts.
#[derive(Debug)]
pub(crate) enum AccountsOfSite {}

impl AccountsOfSite {
    /// # Errors
    ///
    /// A sentence for the operator.
    pub(crate) fn open(_: &Config, _: &Stores, _: &Sessions) -> Result<Self, String> {
        Err("not yet".to_owned())
    }

    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticator> {
        match *self {}
    }

    pub(crate) fn manage(self, _: Rocket<Build>) -> Rocket<Build> {
        match self {}
    }
}
