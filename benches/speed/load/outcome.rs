//! What came of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::servers::process::Usage;

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) elapsed: Duration,
    pub(crate) usage: Usage,
    /// In nanoseconds, in ascending order; four seconds and more are one.
    pub(super) latencies: Vec<u32>,
    /// What was not as expected, and how often.
    pub(crate) troubles: BTreeMap<String, u64>,
}

impl Outcome {
    pub(crate) fn answers(&self) -> usize {
        self.latencies.len()
    }

    pub(crate) fn rate(&self) -> f64 {
        self.answers() as f64 / self.elapsed.as_secs_f64()
    }

    /// The servers' processor time a request, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        1e6 * self.usage.cpu.as_secs_f64() / self.answers() as f64
    }

    /// The servers' context switches a request.
    pub(crate) fn switches(&self) -> f64 {
        self.usage.switches as f64 / self.answers() as f64
    }

    /// The latency, in microseconds, that this share of the answers did not exceed.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        f64::from(self.latencies.get(at).copied().unwrap_or_default()) / 1000.0
    }

    pub(super) fn trouble(&mut self, what: &str, times: u64) {
        *self.troubles.entry(what.to_owned()).or_default() += times;
    }
}
