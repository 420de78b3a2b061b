//! What a request says: reads, and never refuses.

pub(in crate::web) mod client;
pub(in crate::web) mod cookie;
pub(in crate::web) mod method_override;
pub(in crate::web) mod next;
pub(in crate::web) mod user_agent;
