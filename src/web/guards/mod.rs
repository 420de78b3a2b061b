//! What a handler may ask for.

pub(crate) mod body;
pub(crate) mod current_session;
pub(crate) mod end_lookup;
pub(crate) mod passive_session;
pub(crate) mod same_origin;
pub(crate) mod sessions;
pub(crate) mod sign_in;
