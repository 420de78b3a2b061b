//! The folder with templates, if the feature is there.

#[cfg(feature = "pages")]
mod files;
#[cfg(not(feature = "pages"))]
mod without;

#[cfg(all(feature = "pages", feature = "program"))]
pub(crate) use files::for_program;
#[cfg(feature = "pages")]
pub(crate) use files::{attach_engine, for_application};
#[cfg(all(not(feature = "pages"), feature = "program"))]
pub(crate) use without::for_program;
#[cfg(not(feature = "pages"))]
pub(crate) use without::{attach_engine, for_application};
