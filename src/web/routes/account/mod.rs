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

#[cfg(all(feature = "password", feature = "pages"))]
pub(crate) use mounted::pages;
#[cfg(feature = "password")]
pub(crate) use mounted::{document, routes};
#[cfg(all(not(feature = "password"), feature = "pages"))]
pub(crate) use without::pages;
#[cfg(not(feature = "password"))]
pub(crate) use without::{document, routes};
