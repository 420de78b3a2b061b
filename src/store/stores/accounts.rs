//! The accounts in a store of ours.

use std::sync::Arc;

use crate::account::AccountStore;
pub(crate) use crate::account::AccountStore as KeepsAccounts;

pub(crate) type Accounts = Option<Arc<dyn AccountStore>>;

#[expect(
    clippy::unnecessary_wraps,
    reason = "an application's own store keeps none"
)]
pub(super) fn of(store: Arc<impl AccountStore>) -> Accounts {
    Some(store)
}

pub(super) fn none() -> Accounts {
    None
}
