//! What goes out.

pub(in crate::web) mod catcher;
pub(in crate::web) mod documented;
pub(in crate::web) mod headers;
pub(in crate::web) mod negotiate;
pub(in crate::web) mod page;
pub(in crate::web) mod refusal;
