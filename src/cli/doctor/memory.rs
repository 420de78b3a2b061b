//! What a Redis server keeps when its memory is full, and when it is restarted.

use crate::cli::doctor::denied::grant;
use crate::cli::doctor::finding::{Finding, note, ok, warning};
use crate::store::redis::Info;

pub(super) fn eviction(info: &Info) -> Vec<Finding> {
    const SUBJECT: &str = "eviction";
    let mut findings = Vec::new();
    let limited = info.number("maxmemory").is_some_and(|most| most > 0);
    match info.text("maxmemory_policy") {
        Some("noeviction") => findings.push(ok(
            SUBJECT,
            "With full memory it refuses sign-ins and keeps those who are signed in (`maxmemory-policy noeviction`).",
        )),
        Some(policy) if limited => findings.push(warning(
            SUBJECT,
            &format!("When its memory is full it removes sessions, and people are signed out (`maxmemory-policy {policy}`)."),
            "Set `maxmemory-policy noeviction`.",
        )),
        Some(policy) => findings.push(note(
            SUBJECT,
            format!("With a `maxmemory` it would remove sessions (`maxmemory-policy {policy}`). Set `maxmemory-policy noeviction` first."),
        )),
        None => findings.push(note(SUBJECT, "It does not tell its `maxmemory-policy`; `noeviction` keeps people signed in.")),
    }
    if let Some(number) = info.number("evicted_keys").filter(|number| *number > 0) {
        findings.push(warning(
            SUBJECT,
            &format!(
                "It has removed keys for want of memory ({number} since it started); who had a session among them was signed out."
            ),
            "Give it more memory, or a Redis of its own to Innkeeper.",
        ));
    }
    findings
}

/// Of `maxmemory`, in percent.
const NEARLY_FULL: u64 = 80;

pub(super) fn memory(info: &Info) -> Option<Finding> {
    const SUBJECT: &str = "memory";
    let (used, most) = (info.number("used_memory")?, info.number("maxmemory")?);
    if most == 0 {
        return Some(note(
            SUBJECT,
            format!(
                "It uses {}, and has no `maxmemory`: if it outgrows the machine, the system ends it. Set `maxmemory`.",
                bytes(used)
            ),
        ));
    }
    let percent = used.saturating_mul(100) / most;
    let so = format!(
        "{percent} % of its memory is used ({} of {}).",
        bytes(used),
        bytes(most)
    );
    Some(if percent > NEARLY_FULL {
        warning(
            SUBJECT,
            &so,
            "Raise `maxmemory`: with full memory people cannot sign in, or lose their sessions.",
        )
    } else {
        ok(SUBJECT, so)
    })
}

fn bytes(number: u64) -> String {
    let tenths = number.saturating_mul(10) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

pub(super) fn persistence(info: &Info, save: Result<&str, &String>, user: &str) -> Option<Finding> {
    const SUBJECT: &str = "persistence";
    const CHANGE: &str = "Set `appendonly yes`, or keep nothing at all (`save \"\"`).";
    if info.number("aof_enabled")? == 1 {
        return Some(ok(
            SUBJECT,
            "It keeps an append-only file: a restart keeps sessions and sign-outs.",
        ));
    }
    Some(match save {
        Ok("") => note(
            SUBJECT,
            "It keeps nothing on disk: a restart signs everybody out. Set `appendonly yes` if you mind.",
        ),
        Ok(_) => warning(
            SUBJECT,
            "It keeps snapshots only: a crash brings sessions back that were signed out since the last one.",
            CHANGE,
        ),
        Err(refusal) => warning(
            SUBJECT,
            &format!(
                "It keeps no append-only file, and does not tell whether it keeps snapshots: {refusal}. If it does, a crash \
                 brings signed-out sessions back."
            ),
            &format!(
                "{CHANGE} To have it looked up: {}.",
                grant(user, &["+config|get"])
            ),
        ),
    })
}
