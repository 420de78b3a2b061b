//! What a request says: reads, and never refuses.

mod client;
mod cookie;
mod format;
mod header;
mod host;
mod method_override;
mod next;
mod notice;
mod origin;
mod user_agent;

pub(crate) use cookie::{CookieState, DeviceCookie, SessionCookie};
pub(crate) use format::Format;
pub(crate) use header::header_values;
pub(crate) use host::Hosts;
pub(crate) use method_override::NoMethodOverride;
pub use next::NextPath;
pub(crate) use notice::Notice;
pub(crate) use origin::{PublicOrigin, is_for_own_host, is_same_origin, trusted_origin};
pub(crate) use user_agent::{DeviceKind, describe};
