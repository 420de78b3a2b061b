//! Accounts and their passwords. No HTTP, no Redis, no Rocket.

mod store;

pub use store::{Account, AccountStore, Invitation, Purpose, SetPassword};
