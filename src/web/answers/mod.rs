//! What goes out.

pub(crate) mod catcher;
pub(crate) mod detail;
pub(crate) mod documented;
pub(crate) mod error_page;
pub(crate) mod headers;
pub(crate) mod page;
pub(crate) mod refusal;
pub(crate) mod see_other;
pub(crate) mod templates;
