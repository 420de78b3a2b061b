//! How users prove who they are: the contract of a check, and the throttle before it. No HTTP, no Redis, no Rocket.

mod authenticator;
mod digest;
mod error;
mod open;
mod password;
mod store;
mod throttle;
mod token;
mod verifier;

pub use authenticator::{Authenticator, Credentials, Verified};
pub use digest::Digest;
pub use error::AuthenticatorError;
pub(crate) use error::VerifyError;
pub use open::OpenSignIn;
pub use password::Password;
pub use store::{Attempts, Counted, SignInStore};
pub(crate) use throttle::Throttle;
pub use token::Token;
pub(crate) use verifier::{DEVICE_TTL, Known, Verifier};
