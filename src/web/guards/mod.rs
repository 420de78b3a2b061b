//! What a handler may ask for.

mod body;
mod cross_origin;
mod new_sign_in;
mod same_origin;
mod session;
mod sessions;
mod sign_in;
mod site;

pub(crate) use body::{Body, Posted};
pub(crate) use cross_origin::CrossOrigin;
pub(crate) use new_sign_in::NewSignIn;
pub use same_origin::SameOrigin;
pub use session::{CurrentSession, PassiveSession, RecentSignIn};
pub(crate) use session::{EndLookup, RecentLimit};
pub use sign_in::{SignIn, SignOut, SignedIn};
