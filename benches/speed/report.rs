//! What is printed: Markdown, to be pasted as it is.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::thread;

use crate::Plan;
use crate::load::rounds::Figure;

/// A table with a title; nothing at all where it has no rows.
pub(crate) struct Table {
    title: &'static str,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: &'static str, head: &[&'static str]) -> Self {
        Self {
            title,
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", " --- |".repeat(self.head.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Where and how the figures came about.
pub(crate) fn circumstances(plan: Plan) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model)
        .to_owned();
    format!(
        "{cores} cores ({processor}) shared by servers, Redis and the load generator; {} rounds of {} s each, in an \
         order that rotates.\n\
         Figures are medians of the rounds; ratios are made within a round, with the least and the most in brackets.\n\
         Innkeeper's release build with its default settings, but without a line a request in the log (`RUST_LOG=warn`), \
         as the peers write none; what the log costs shows where it is named, written to the null device.\n\
         CPU and context switches are those of the server alone and of the processes that it has started, without Redis \
         and the load generator.",
        plan.rounds,
        plan.length.as_secs_f64()
    )
}

pub(crate) fn troubles(troubles: &BTreeMap<&str, u64>) -> String {
    if troubles.is_empty() {
        return "Every answer was as expected.".to_owned();
    }
    let told: Vec<_> = troubles
        .iter()
        .map(|(what, times)| format!("{what}: {times} times"))
        .collect();
    format!("NOT EVERY ANSWER WAS AS EXPECTED: {}", told.join("; "))
}

/// Three digits that count, and commas.
pub(crate) fn thousands(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = value.abs().max(1.0).log10().floor() as i32 + 1;
    let unit = 10_f64.powi((digits - 3).max(0));
    let text = format!("{:.0}", (value / unit).round() * unit);
    let mut out = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(crate) fn percent(ratio: Figure) -> String {
    ratio.told(|share| format!("{:.0}", 100.0 * share), " %")
}

pub(crate) fn times(ratio: Figure) -> String {
    ratio.told(|times| format!("{times:.2}"), "")
}

impl Figure {
    /// The median, and in brackets the least and the most.
    pub(crate) fn told(self, number: impl Fn(f64) -> String, unit: &str) -> String {
        if !self.median.is_finite() {
            return "-".to_owned();
        }
        let [median, least, most] = [self.median, self.least, self.most].map(number);
        format!("{median}{unit} ({least}-{most})")
    }
}

pub(crate) fn micros(value: f64) -> String {
    if !value.is_finite() {
        "-".to_owned()
    } else if value < 100.0 {
        format!("{value:.1} µs")
    } else if value < 1000.0 {
        format!("{value:.0} µs")
    } else {
        format!("{:.1} ms", value / 1000.0)
    }
}

pub(crate) fn hundredths(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.2}")
    } else {
        "-".to_owned()
    }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
