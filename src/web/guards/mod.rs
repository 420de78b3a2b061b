//! What a handler may ask for.

pub(in crate::web) mod body;
pub(in crate::web) mod current_session;
pub(in crate::web) mod end_lookup;
pub(in crate::web) mod host;
pub(in crate::web) mod passive_session;
pub(in crate::web) mod same_origin;
pub(in crate::web) mod sessions;
