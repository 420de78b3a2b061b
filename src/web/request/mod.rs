//! What a request says: reads, and never refuses.

mod client;
mod cookie;
mod device_cookie;
mod format;
mod host;
mod method_override;
mod next;
mod notice;
mod origin;
mod user_agent;

pub(crate) use cookie::{CookieState, SessionCookie};
pub(crate) use device_cookie::DeviceCookie;
pub(crate) use format::Format;
pub(crate) use host::Hosts;
pub(crate) use method_override::NoMethodOverride;
pub use next::NextPath;
pub(crate) use notice::Notice;
pub(crate) use origin::{PublicOrigin, is_for_own_host, is_same_origin, trusted_origin};
pub(crate) use user_agent::{DeviceKind, describe};
