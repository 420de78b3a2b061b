//! What the system knows of a process and those that it has started: Linux only, like the figures.

use std::fs;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

static TICKS_A_SECOND: LazyLock<f64> = LazyLock::new(|| {
    let told = Command::new("getconf").arg("CLK_TCK").output().unwrap();
    String::from_utf8_lossy(&told.stdout)
        .trim()
        .parse()
        .unwrap()
});

/// Since the start.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Context switches of the threads that still run.
    pub(crate) switches: u64,
}

pub(crate) fn usage(processes: &[u32]) -> Usage {
    let mut usage = Usage::default();
    for process in processes.iter().flat_map(|process| family(*process)) {
        usage.cpu += cpu(process);
        usage.switches += switches(process);
    }
    usage
}

fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    Duration::from_secs_f64(ticks / *TICKS_A_SECOND)
}

fn switches(process: u32) -> u64 {
    each_thread(process, "status")
        .iter()
        .flat_map(|status| status.lines())
        .filter(|line| line.contains("ctxt_switches:"))
        .filter_map(number)
        .sum()
}

/// Memory in bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

/// What several processes share counts for each.
pub(crate) fn memory(process: u32) -> Memory {
    let mut memory = Memory::default();
    for process in family(process) {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let kilobytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(number).unwrap()
        };
        memory.resident += 1024 * kilobytes("VmRSS:");
        memory.peak += 1024 * kilobytes("VmHWM:");
    }
    memory
}

/// The process and all that it has started.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    for children in each_thread(process, "children") {
        for child in children.split_whitespace() {
            family.extend(self::family(child.parse().unwrap()));
        }
    }
    family
}

/// A file of each thread; those that have just ended are left out.
fn each_thread(process: u32, file: &str) -> Vec<String> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join(file)).ok())
        .collect()
}

fn number(line: &str) -> Option<u64> {
    line.split_whitespace().nth(1)?.parse().ok()
}
