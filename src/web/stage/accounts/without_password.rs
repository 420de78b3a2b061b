//! In place of accounts, where the feature `password` is missing.

use std::sync::Arc;

use rocket::fairing::AdHoc;
use rocket::{Build, Rocket};

use crate::config::Config;
use crate::session::Sessions;
use crate::sign_in::Authenticator;
use crate::store::Stores;

/// There are none.
#[derive(Debug)]
pub(crate) enum AccountsOfSite {}

impl AccountsOfSite {
    /// Always the sentence that says why not.
    pub(crate) fn open(_: &Config, _: &Stores, _: &Sessions) -> Result<Self, String> {
        Err(
            "`sign_in` is `password`, and this was built without Innkeeper's feature `password`"
                .to_owned(),
        )
    }

    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticator> {
        match *self {}
    }

    pub(crate) fn manage(self, _: Rocket<Build>) -> Rocket<Build> {
        match self {}
    }
}

/// There are no accounts.
pub(crate) fn announce_first_account() -> AdHoc {
    AdHoc::on_liftoff("No account", |_| Box::pin(async {}))
}
