//! The accounts that the settings ask for.

#[cfg(all(feature = "password", feature = "program"))]
mod first_account;
#[cfg(feature = "password")]
mod with_password;
#[cfg(not(feature = "password"))]
mod without_password;

#[cfg(all(feature = "password", feature = "program"))]
pub(crate) use first_account::announce_first_account;
#[cfg(feature = "password")]
pub(crate) use with_password::AccountsOfSite;
#[cfg(not(feature = "password"))]
pub(crate) use without_password::AccountsOfSite;
#[cfg(all(not(feature = "password"), feature = "program"))]
pub(crate) use without_password::announce_first_account;
