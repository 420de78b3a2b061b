//! HTTP: `request` and `observe` <- `answers` <- `guards` <- `views` <- `routes` <- `stage`.

mod answers;
mod guards;
mod observe;
mod request;
mod routes;
mod stage;
mod views;

pub use answers::detail::ValidationError;
pub use answers::refusal::Refusal;
pub use answers::templates::templates;
pub use guards::current_session::CurrentSession;
pub use guards::passive_session::PassiveSession;
pub use guards::same_origin::SameOrigin;
pub use guards::sign_in::{SignIn, SignOut};
pub use observe::logging::Log;
pub use stage::{Stage, launch, rocket, serve, stage};
