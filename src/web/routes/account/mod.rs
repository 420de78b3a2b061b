//! The addresses of accounts, if the feature is there.

#[cfg(feature = "password")]
mod failure;
#[cfg(feature = "password")]
mod invitation;
#[cfg(feature = "password")]
mod mounted;
#[cfg(feature = "password")]
mod password;
#[cfg(feature = "password")]
mod sign_up;
#[cfg(feature = "password")]
mod well_known;
#[cfg(not(feature = "password"))]
mod without;

#[cfg(feature = "password")]
pub(crate) use mounted::{document, pages, routes};
#[cfg(not(feature = "password"))]
pub(crate) use without::{document, pages, routes};
