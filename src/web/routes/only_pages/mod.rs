//! What is there for pages alone, and has no JSON form; if the feature is there.

#[cfg(feature = "pages")]
mod accept_encoding;
#[cfg(feature = "pages")]
mod mounted;
#[cfg(feature = "pages")]
mod static_files;
#[cfg(not(feature = "pages"))]
mod without;

#[cfg(feature = "pages")]
pub(crate) use mounted::{accounts, check, docs, home, retain, sign_in};
#[cfg(feature = "pages")]
pub(crate) use static_files::routes as static_files;
#[cfg(not(feature = "pages"))]
pub(crate) use without::{accounts, check, docs, home, retain, sign_in, static_files};
