//! The metrics server, if the feature is there.

#[cfg(feature = "metrics")]
mod server;
#[cfg(not(feature = "metrics"))]
mod without;

#[cfg(feature = "metrics")]
pub(crate) use server::MetricsServer;
#[cfg(not(feature = "metrics"))]
pub(crate) use without::MetricsServer;
