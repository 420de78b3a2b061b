//! The time that counts.

use std::time::{Duration, Instant};

use crate::servers::process;

/// The time that counts, and the server's CPU time at both its ends.
pub(super) struct Window {
    process: u32,
    begin: Instant,
    until: Option<Instant>,
    /// When the last answer that counts came.
    pub(super) last: Instant,
    cpu_at_begin: Option<Duration>,
    cpu_at_end: Option<Duration>,
}

impl Window {
    pub(super) fn new(process: u32, begin: Instant, until: Option<Instant>) -> Self {
        let mut window = Self {
            process,
            begin,
            until,
            last: begin,
            cpu_at_begin: None,
            cpu_at_end: None,
        };
        window.reach(Instant::now());
        window
    }

    pub(super) fn reach(&mut self, now: Instant) {
        if now >= self.begin && self.cpu_at_begin.is_none() {
            self.cpu_at_begin = Some(process::cpu(self.process));
        }
        if self.until.is_some_and(|until| now >= until) && self.cpu_at_end.is_none() {
            self.cpu_at_end = Some(process::cpu(self.process));
        }
    }

    pub(super) fn has(&self, now: Instant) -> bool {
        now >= self.begin && self.until.is_none_or(|until| now < until)
    }

    pub(super) fn close(self) -> (Duration, Duration) {
        let now = || process::cpu(self.process);
        let begin = self.cpu_at_begin.unwrap_or_else(now);
        let end = self.cpu_at_end.unwrap_or_else(now);
        let last = self.until.unwrap_or(self.last);
        (last - self.begin, end.saturating_sub(begin))
    }
}
