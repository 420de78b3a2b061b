//! HTTP: `static_files` <- `site`, `request` and `observe` <- `answers` <- `guards` <- `views` <- `routes` <- `stage`.

mod answers;
mod guards;
mod observe;
mod request;
mod routes;
mod site;
mod stage;
mod static_files;
mod views;

#[cfg(feature = "pages")]
pub use answers::templates::templates;
pub use answers::{Refusal, ValidationError};
pub use guards::{
    CurrentSession, PassiveSession, RecentSignIn, SameOrigin, SignIn, SignOut, SignedIn,
};
#[cfg(feature = "program")]
pub use observe::Log;
pub use request::NextPath;
#[cfg(feature = "testing")]
pub(crate) use request::SessionCookie;
pub use site::{Part, Site};
pub use stage::{Stage, launch, stage};
#[cfg(feature = "program")]
pub use stage::{rocket, serve};
