//! The process itself, by the names that Prometheus' clients agree on.

use std::fs;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge, Registry};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Read for each scrape. What the system does not say is absent; without `/proc`, as elsewhere than on Linux, nearly all.
pub(super) fn gather() -> Result<Vec<MetricFamily>, prometheus::Error> {
    let registry = Registry::new();
    let gauge = |name, help, value: Option<u64>| {
        let Some(value) = value.and_then(|value| value.try_into().ok()) else {
            return Ok(());
        };
        let gauge = IntGauge::new(name, help)?;
        gauge.set(value);
        registry.register(Box::new(gauge))
    };
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.and_then(|text| Stat::parse(&text));
    if let Some(seconds) = stat.as_ref().and_then(Stat::cpu_seconds) {
        let counter = Counter::new(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
        )?;
        counter.inc_by(seconds);
        registry.register(Box::new(counter))?;
    }
    gauge(
        "process_threads",
        "Number of OS threads in the process.",
        stat.as_ref().map(|stat| stat.threads),
    )?;
    gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        stat.as_ref().and_then(Stat::start_time),
    )?;
    gauge(
        "process_virtual_memory_bytes",
        "Virtual memory size in bytes.",
        stat.as_ref().map(|stat| stat.virtual_memory),
    )?;
    gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        stat.as_ref()
            .map(|stat| stat.resident_pages * page_size() as u64),
    )?;
    gauge(
        "process_open_fds",
        "Number of open file descriptors.",
        open_files(),
    )?;
    gauge(
        "process_max_fds",
        "Maximum number of open file descriptors.",
        getrlimit(Resource::Nofile).current,
    )?;
    Ok(registry.gather())
}

/// Without the folder that is read.
fn open_files() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(open).ok()?.checked_sub(1)
}

/// What we take of `/proc/self/stat` (`proc_pid_stat(5)`).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    /// Since the system was started.
    start_ticks: u64,
    virtual_memory: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, and may have spaces and parentheses of its own.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_memory: field(23)?,
            resident_pages: field(24)?,
        })
    }

    fn cpu_seconds(&self) -> Option<f64> {
        let millis = self.cpu_ticks.checked_mul(1000)? / clock_ticks_per_second();
        Some(Duration::from_millis(millis).as_secs_f64())
    }

    fn start_time(&self) -> Option<u64> {
        let system = fs::read_to_string("/proc/stat").ok()?;
        let booted = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?;
        let booted: u64 = booted.trim().parse().ok()?;
        Some(booted + self.start_ticks / clock_ticks_per_second())
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        for name in ["innkeeper", "a) b", ") R 1"] {
            let text = format!(
                "42 ({name}) S 1 42 42 0 -1 4194304 900 0 3 0 150 25 0 0 20 0 5 0 777 30000000 6000 18446744073709551615 1"
            );
            let stat = Stat {
                cpu_ticks: 175,
                threads: 5,
                start_ticks: 777,
                virtual_memory: 30_000_000,
                resident_pages: 6000,
            };
            assert_eq!(Stat::parse(&text), Some(stat), "{name}");
        }
        for text in [
            "",
            "42 (innkeeper)",
            "42 (innkeeper) S 1",
            "42 (innkeeper) ",
        ] {
            assert_eq!(Stat::parse(text), None, "{text}");
        }
    }
}
