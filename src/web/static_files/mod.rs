//! The style sheet, the scripts and the icon of the pages, if the feature is there.

#[cfg(feature = "pages")]
mod compressed;
#[cfg(feature = "pages")]
mod file;
#[cfg(feature = "pages")]
mod files;
#[cfg(not(feature = "pages"))]
mod without;

#[cfg(feature = "pages")]
pub(crate) use compressed::Coding;
#[cfg(feature = "pages")]
pub(crate) use files::{Found, StaticFiles};
#[cfg(not(feature = "pages"))]
pub(crate) use without::StaticFiles;
