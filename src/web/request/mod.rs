//! What a request says: reads, and never refuses.

pub(crate) mod client;
pub(crate) mod cookie;
pub(crate) mod format;
pub(crate) mod host;
pub(crate) mod method_override;
pub(crate) mod next;
pub(crate) mod origin;
pub(crate) mod user_agent;
