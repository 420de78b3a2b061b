//! In place of the check of accounts, where the feature `password` is missing.

use std::future::{Ready, ready};

use crate::cli::doctor::finding::{Finding, failure};
use crate::config::{Config, SignInMode};

pub(super) fn check<S>(config: &Config, _: &S) -> Ready<Option<Finding>> {
    let finding = (config.sign_in == SignInMode::Password).then(|| {
        failure(
            "accounts",
            "`sign_in` is `password`, and this program was built without the feature `password`.",
            "Take one that was built with it.",
        )
    });
    ready(finding)
}
