//! The templates of the pages, if the feature is there.

#[cfg(feature = "pages")]
mod engine;
#[cfg(not(feature = "pages"))]
mod without;

#[cfg(feature = "pages")]
pub use engine::templates;
#[cfg(feature = "pages")]
pub(crate) use engine::{KeptEngine, add, escape, render};
#[cfg(not(feature = "pages"))]
pub(crate) use without::render;
