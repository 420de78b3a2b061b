//! The time that counts.

use std::time::{Duration, Instant};

use crate::servers::process::{self, Usage};

/// The time that counts, and what the servers had used at both its ends.
pub(super) struct Window<'a> {
    processes: &'a [u32],
    begin: Instant,
    until: Option<Instant>,
    /// When the last answer that counts came.
    pub(super) last: Instant,
    at_begin: Option<Usage>,
    at_end: Option<Usage>,
}

impl<'a> Window<'a> {
    pub(super) fn new(processes: &'a [u32], begin: Instant, until: Option<Instant>) -> Self {
        let mut window = Self {
            processes,
            begin,
            until,
            last: begin,
            at_begin: None,
            at_end: None,
        };
        window.reach(Instant::now());
        window
    }

    pub(super) fn reach(&mut self, now: Instant) {
        if now >= self.begin && self.at_begin.is_none() {
            self.at_begin = Some(process::usage(self.processes));
        }
        if self.until.is_some_and(|until| now >= until) && self.at_end.is_none() {
            self.at_end = Some(process::usage(self.processes));
        }
    }

    pub(super) fn has(&self, now: Instant) -> bool {
        now >= self.begin && self.until.is_none_or(|until| now < until)
    }

    pub(super) fn close(self) -> (Duration, Usage) {
        let now = || process::usage(self.processes);
        let begin = self.at_begin.unwrap_or_else(now);
        let end = self.at_end.unwrap_or_else(now);
        let used = Usage {
            cpu: end.cpu.saturating_sub(begin.cpu),
            switches: end.switches.saturating_sub(begin.switches),
        };
        let last = self.until.unwrap_or(self.last);
        (last - self.begin, used)
    }
}
