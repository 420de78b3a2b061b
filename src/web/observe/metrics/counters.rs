//! The counters for Prometheus.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use super::process;
use crate::session::{EndReason, StoreStats};
use crate::store::LATENCY_BUCKETS;
use crate::web::observe::LogWriter;

/// The counters of one instance, managed by Rocket only where they are served.
///
/// Counters whose labels are known beforehand begin at 0: Prometheus' `rate()` does not see the event with which a counter
/// appears.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    sign_ins: IntCounter,
    sign_outs: IntCounter,
    ended: IntCounterVec,
    refusals: IntCounterVec,
}

impl Metrics {
    /// `refusals`: the names of all reasons to refuse a request.
    pub(crate) fn new(refusals: &[&str]) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new(
                    "innkeeper_http_requests_total",
                    "Requests answered, by the route's template; - where no route matched.",
                ),
                &["route", "method", "status"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "innkeeper_http_request_duration_seconds",
                    "Time until the answer began.",
                )
                .buckets(LATENCY_BUCKETS.to_vec()),
                &["route", "method"],
            )?,
            sign_ins: IntCounter::new("innkeeper_sign_ins_total", "Sessions started.")?,
            sign_outs: IntCounter::new(
                "innkeeper_sign_outs_total",
                "Active sessions that their user ended by signing out.",
            )?,
            ended: IntCounterVec::new(
                Opts::new(
                    "innkeeper_sessions_ended_total",
                    "Active sessions that were ended, without those that expired.",
                ),
                &["reason"],
            )?,
            refusals: IntCounterVec::new(
                Opts::new("innkeeper_refusals_total", "Requests that were refused."),
                &["reason"],
            )?,
        };
        for reason in EndReason::COUNTED {
            metrics.ended.with_label_values(&[reason.as_str()]);
        }
        for reason in refusals {
            metrics.refusals.with_label_values(&[reason]);
        }
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.sign_ins.clone()))?;
        registry.register(Box::new(metrics.sign_outs.clone()))?;
        registry.register(Box::new(metrics.ended.clone()))?;
        registry.register(Box::new(metrics.refusals.clone()))?;
        let build = IntGaugeVec::new(
            Opts::new(
                "innkeeper_build_info",
                "Always 1; the label is the version.",
            ),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        Ok(metrics)
    }

    /// For the store's metrics.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests
            .with_label_values(&[route, method, &status.to_string()])
            .inc();
        self.durations
            .with_label_values(&[route, method])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn signed_in(&self) {
        self.sign_ins.inc();
    }

    pub(crate) fn signed_out(&self) {
        self.sign_outs.inc();
        self.ended(EndReason::SignedOut, 1);
    }

    pub(crate) fn ended(&self, reason: EndReason, number: usize) {
        self.ended
            .with_label_values(&[reason.as_str()])
            .inc_by(number.try_into().unwrap_or(u64::MAX));
    }

    pub(crate) fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// All of it in the text format, with how the store is at this moment.
    pub(crate) fn text(&self, stats: &StoreStats) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(process::gather()?);
        families.extend(dropped_lines()?.collect());
        families.extend(registry_of(stats)?.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

/// Made for each scrape, because the log belongs to the process, which may have several instances.
fn dropped_lines() -> Result<IntCounter, prometheus::Error> {
    let counter = IntCounter::new(
        "innkeeper_log_lines_dropped_total",
        "Lines of the log that could not be written, or not in time.",
    )?;
    counter.inc_by(LogWriter::dropped_lines());
    Ok(counter)
}

/// Made for each scrape: a value that the store does not know must be absent, and not keep its last value.
fn registry_of(stats: &StoreStats) -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    let gauge = |name, help, value: Option<i64>| {
        let Some(value) = value else {
            return Ok(());
        };
        let gauge = IntGauge::new(name, help)?;
        gauge.set(value);
        registry.register(Box::new(gauge))
    };
    gauge(
        "innkeeper_sessions_active",
        "Sessions alive in the store, which instances may share. On Redis an estimate: \
         innkeeper_sessions_active_error says how far it may be from the truth.",
        stats.active.map(saturated),
    )?;
    gauge(
        "innkeeper_sessions_active_error",
        "How far innkeeper_sessions_active may be from the truth (three standard deviations), where it is an estimate.",
        stats.active_error.map(saturated),
    )?;
    gauge(
        "innkeeper_store_circuit_open",
        "1 while requests fail at once because the store did not answer, else 0.",
        stats.circuit_open.map(i64::from),
    )?;
    gauge(
        "innkeeper_store_full",
        "1 while the disk is full and nobody can sign in, else 0; only of the embedded store.",
        stats.full.map(i64::from),
    )?;
    gauge(
        "innkeeper_store_connections",
        "Connections to the store's server that are open; in a cluster those to all of its nodes.",
        stats
            .connections
            .map(|connections| saturated(connections.open)),
    )?;
    gauge(
        "innkeeper_store_connections_max",
        "The most connections to the store's server.",
        stats
            .connections
            .map(|connections| saturated(connections.limit)),
    )?;
    Ok(registry)
}

fn saturated(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
