//! The metrics for Prometheus, if the feature is there.

#[cfg(feature = "metrics")]
mod counters;
#[cfg(feature = "metrics")]
mod process;
#[cfg(not(feature = "metrics"))]
mod without;

#[cfg(feature = "metrics")]
pub(crate) use counters::Metrics;
#[cfg(not(feature = "metrics"))]
pub(crate) use without::Metrics;
