//! What every set of features does: these tests use the library as it was built, with whatever it has. `tests/run` runs
//! them with each feature alone and with none; a test that needs a program which this machine lacks fails.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod launch;

#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "metrics")]
mod metrics;
mod own_store;
#[cfg(feature = "pages")]
mod pages;
#[cfg(not(all(
    feature = "embedded",
    feature = "metrics",
    feature = "pages",
    feature = "redis"
)))]
mod problem;
#[cfg(feature = "program")]
mod program;
#[cfg(feature = "redis")]
mod redis;
mod sign_in;
#[cfg(not(feature = "embedded"))]
mod without_embedded;
#[cfg(not(feature = "metrics"))]
mod without_metrics;
#[cfg(not(feature = "pages"))]
mod without_pages;
#[cfg(not(feature = "redis"))]
mod without_redis;
