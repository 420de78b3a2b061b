//! What a handler may ask for.

mod body;
mod cross_origin;
mod current_session;
mod end_lookup;
mod passive_session;
mod recent_sign_in;
mod same_origin;
mod sessions;
mod sign_in;
mod site;

pub(crate) use body::Body;
pub(crate) use cross_origin::CrossOrigin;
pub use current_session::CurrentSession;
pub(crate) use end_lookup::EndLookup;
pub use passive_session::PassiveSession;
pub(crate) use recent_sign_in::RecentLimit;
pub use recent_sign_in::RecentSignIn;
pub use same_origin::SameOrigin;
pub use sign_in::{SignIn, SignOut, SignedIn};
