//! Opens the stores as the settings say. For a store whose feature is missing, a sentence says so.

#[cfg(feature = "embedded")]
pub(crate) mod embedded;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(not(feature = "embedded"))]
pub(crate) mod without_embedded;
#[cfg(not(feature = "redis"))]
pub(crate) mod without_redis;

#[cfg(not(feature = "embedded"))]
pub(crate) use without_embedded as embedded;
#[cfg(not(feature = "redis"))]
pub(crate) use without_redis as redis;
