//! Checks what a Redis server keeps when its memory is full, and when it is restarted.

use crate::cli::doctor::finding::{Finding, failure, note, ok, warning};
use crate::cli::doctor::redis::denied::grant;
use crate::store::redis::Info;

/// `accounts`: whether it keeps some, which must not vanish.
pub(super) fn eviction(info: &Info, accounts: bool) -> Vec<Finding> {
    const SUBJECT: &str = "eviction";
    let mut findings = Vec::new();
    match info.text("maxmemory_policy") {
        Some("noeviction") => findings.push(ok(
            SUBJECT,
            "When its memory is full it refuses sign-ins and keeps the sessions that it has (`maxmemory-policy noeviction`).",
        )),
        Some(policy) if accounts && info.evicts() => findings.push(failure(
            SUBJECT,
            &if policy.starts_with("allkeys") {
                format!("When its memory is full it evicts accounts, which are then gone (`maxmemory-policy {policy}`).")
            } else {
                // Accounts have no time to live, and these policies evict only what has one.
                format!(
                    "When its memory is full it evicts sessions, and the counts of failed sign-ins, so that passwords can be \
                     guessed without limit (`maxmemory-policy {policy}`)."
                )
            },
            "Set `maxmemory-policy noeviction`.",
        )),
        Some(policy) if info.evicts() => findings.push(warning(
            SUBJECT,
            &format!("When its memory is full it evicts sessions, and their users are signed out (`maxmemory-policy {policy}`)."),
            "Set `maxmemory-policy noeviction`.",
        )),
        Some(policy) => findings.push(note(
            SUBJECT,
            format!("With a `maxmemory` it would evict sessions (`maxmemory-policy {policy}`). Set `maxmemory-policy noeviction` first."),
        )),
        None => findings.push(note(SUBJECT, "It does not report its `maxmemory-policy`; `noeviction` keeps users signed in.")),
    }
    if let Some(number) = info.number("evicted_keys").filter(|number| *number > 0) {
        findings.push(warning(
            SUBJECT,
            &format!(
                "It has evicted keys because its memory was full ({number} since it started): users whose sessions were among them were signed out."
            ),
            "Give it more memory, or give Innkeeper a Redis of its own.",
        ));
    }
    findings
}

/// Percent of `maxmemory`.
const NEARLY_FULL: u64 = 80;

pub(super) fn memory(info: &Info) -> Option<Finding> {
    const SUBJECT: &str = "memory";
    let (used, limit) = (info.number("used_memory")?, info.number("maxmemory")?);
    if limit == 0 {
        return Some(note(
            SUBJECT,
            format!(
                "It uses {}, and has no `maxmemory`: if it outgrows the machine, the system kills it. Set `maxmemory`.",
                bytes(used)
            ),
        ));
    }
    let percent = used.saturating_mul(100) / limit;
    let fact = format!(
        "{percent} % of its memory is used ({} of {}).",
        bytes(used),
        bytes(limit)
    );
    Some(if percent > NEARLY_FULL {
        warning(
            SUBJECT,
            &fact,
            "Raise `maxmemory`: when it is full, users cannot sign in or lose their sessions.",
        )
    } else {
        ok(SUBJECT, fact)
    })
}

fn bytes(number: u64) -> String {
    let tenths = number.saturating_mul(10) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

pub(super) fn persistence(
    info: &Info,
    save: Result<&str, &String>,
    user: &str,
    accounts: bool,
) -> Option<Finding> {
    const SUBJECT: &str = "persistence";
    const CHANGE: &str = "Set `appendonly yes`, or keep nothing at all (`save \"\"`).";
    if info.number("aof_enabled")? == 1 {
        return Some(ok(
            SUBJECT,
            "It keeps an append-only file: a restart keeps sessions and sign-outs.",
        ));
    }
    Some(match save {
        Ok("") if accounts => failure(
            SUBJECT,
            "It keeps nothing on disk: a restart loses all accounts.",
            "Set `appendonly yes`.",
        ),
        Ok(_) if accounts => warning(
            SUBJECT,
            "It keeps only snapshots: a crash loses accounts and brings back old passwords and sessions that were signed out \
             since the last one.",
            "Set `appendonly yes`.",
        ),
        Ok("") => note(
            SUBJECT,
            "It keeps nothing on disk: a restart signs everybody out. To keep sessions, set `appendonly yes`.",
        ),
        Ok(_) => warning(
            SUBJECT,
            "It keeps only snapshots: a crash brings back sessions that were signed out since the last one.",
            CHANGE,
        ),
        Err(refusal) => warning(
            SUBJECT,
            &format!(
                "It keeps no append-only file, and does not report whether it keeps snapshots: {refusal}. If it does, a \
                 crash brings back sessions that were signed out."
            ),
            &format!(
                "{CHANGE} To have this checked: {}.",
                grant(user, &["+config|get"])
            ),
        ),
    })
}
