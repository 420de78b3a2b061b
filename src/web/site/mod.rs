//! What pages and answers know of the site: which parts of ours it has, and where.

mod addresses;
mod part;
mod path;
mod plan;

pub use addresses::Site;
pub use part::Part;
pub(crate) use path::SitePath;
pub(crate) use plan::Plan;
