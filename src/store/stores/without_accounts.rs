//! In place of accounts, where their feature is missing.

use std::sync::Arc;

/// There are none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounts;

/// Nothing need be kept.
pub(crate) trait KeepsAccounts {}

impl<S> KeepsAccounts for S {}

pub(super) fn of<S: KeepsAccounts>(_: Arc<S>) -> Accounts {
    Accounts
}

pub(super) fn none() -> Accounts {
    Accounts
}
