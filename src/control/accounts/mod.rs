//! Accounts over the socket.

mod answer;
mod store;
mod wire;

pub(super) use answer::answer;
pub(super) use wire::{AccountReply, AccountRequest};
