//! Accounts and their passwords. No HTTP, no Redis, no Rocket.

mod accounts;
mod authenticator;
mod error;
mod hashing;
mod import;
mod invitations;
mod operator;
mod password;
mod store;
mod strength;

pub use accounts::{Accounts, Changed};
pub use error::AccountError;
pub use hashing::Hasher;
pub use import::ImportProblem;
pub use invitations::INVITATION_TTL;
pub use password::{PasswordPolicy, PasswordProblem};
pub use store::{Account, AccountStore, Invitation, Purpose, SetPassword};
