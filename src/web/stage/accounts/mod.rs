//! The accounts that the settings ask for.

#[cfg(feature = "password")]
mod with_password;
#[cfg(not(feature = "password"))]
mod without_password;

#[cfg(feature = "password")]
pub(crate) use with_password::AccountsOfSite;
#[cfg(not(feature = "password"))]
pub(crate) use without_password::AccountsOfSite;
