//! In place of accounts, where the feature `password` is missing: there is nothing to ask.

use serde::{Deserialize, Serialize};

use super::output::Output;
use crate::session::StoreError;
use crate::store::Stores;

/// There is none.
#[derive(Serialize, Deserialize)]
pub(super) enum AccountRequest {}

/// There is none.
#[derive(Serialize, Deserialize)]
pub(super) enum AccountReply {}

#[expect(clippy::unused_async, reason = "with accounts it asks the store")]
pub(super) async fn answer(
    request: &AccountRequest,
    _: &Stores,
    _: &Output,
) -> Result<(), StoreError> {
    match *request {}
}
