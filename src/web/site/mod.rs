//! What pages and answers know of the site: which parts of ours it has, and where.

mod addresses;
#[cfg(feature = "pages")]
mod with_pages;
#[cfg(not(feature = "pages"))]
mod without_pages;

mod part;
mod path;
mod plan;

pub use addresses::Site;
pub(crate) use part::CheckOfSite;
pub use part::Part;
pub(crate) use path::SitePath;
pub(crate) use plan::Plan;
#[cfg(feature = "pages")]
use with_pages::HAS_PAGES;
#[cfg(not(feature = "pages"))]
use without_pages::HAS_PAGES;
