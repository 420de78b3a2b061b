//! What the system knows of a process: Linux only, like the figures.

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

/// User and system time since its start.
pub(crate) fn cpu(process: u32) -> Duration {
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

/// Memory in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

pub(crate) fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let kilobytes = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    };
    Memory {
        resident: 1024 * kilobytes("VmRSS:"),
        peak: 1024 * kilobytes("VmHWM:"),
    }
}
