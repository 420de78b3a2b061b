//! Sessions: their hashes, and the sorted sets that list them.

pub(in crate::store::redis) mod hash;
pub(in crate::store::redis) mod index;
pub(in crate::store::redis) mod record;
pub(in crate::store::redis) mod relisting;
pub(in crate::store::redis) mod scan;
pub(in crate::store::redis) mod search;
pub(in crate::store::redis) mod server_time;
pub(in crate::store::redis) mod stats;
