//! The cookies.

mod device;
mod session;

pub(crate) use device::DeviceCookie;
pub(super) use session::values;
pub(crate) use session::{CookieState, SessionCookie};
