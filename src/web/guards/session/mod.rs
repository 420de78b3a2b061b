//! The session of a request.

mod current_session;
mod end_lookup;
mod passive_session;
mod recent_sign_in;

pub use current_session::CurrentSession;
pub(crate) use end_lookup::EndLookup;
pub use passive_session::PassiveSession;
pub(crate) use recent_sign_in::RecentLimit;
pub use recent_sign_in::RecentSignIn;
