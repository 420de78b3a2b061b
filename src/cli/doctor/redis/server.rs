//! Checks what one Redis server reports.

use std::time::Duration;

use crate::cli::doctor::finding::{Finding, failure, note, ok, warning};
use crate::cli::doctor::redis::denied;
use crate::cli::doctor::redis::memory::{eviction, memory, persistence};
use crate::store::redis::{ClockOffset, Info, ServerKind, ServerReport};

const SUBJECT: &str = "Redis";

/// How Innkeeper uses the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage<'a> {
    pub(super) by: ServerKind,
    /// Innkeeper's user in Redis.
    pub(super) user: &'a str,
    /// How long a request waits for Redis.
    pub(super) request_timeout: Duration,
    /// Whether users sign in with passwords.
    pub(super) passwords: bool,
    /// Whether metrics are served.
    pub(super) metrics: bool,
    /// Whether users have accounts, which must not vanish.
    pub(super) accounts: bool,
}

pub(super) fn check(server: &ServerReport, usage: Usage<'_>) -> Vec<Finding> {
    let unknown = |what: &str, right: &str, refusal: &str| {
        let fact = format!("{what} could not be read, so this was not checked: {refusal}.");
        let grant = denied::grant(usage.user, &[right]);
        let change = format!("Sessions work without it. If your provider lets you: {grant}.");
        warning(SUBJECT, &fact, &change)
    };
    let mut findings = match &server.info {
        Ok(info) => check_info(info, server.save.as_deref(), usage),
        Err(refusal) => vec![unknown(
            "Its version, memory and persistence (`INFO`)",
            "+info",
            refusal,
        )],
    };
    match &server.clock {
        Ok(ClockOffset { round_trip, ahead }) => {
            findings.extend([latency(*round_trip, usage.request_timeout), clock(*ahead)]);
        }
        Err(refusal) => findings.push(unknown("Its clock (`TIME`)", "+time", refusal)),
    }
    findings.extend(denied::check(
        &server.denied,
        usage.user,
        usage.passwords,
        usage.metrics,
    ));
    match &server.cluster {
        Some(Ok(info)) => findings.extend(check_cluster(info)),
        Some(Err(refusal)) => findings.push(unknown(
            "The cluster's state (`CLUSTER INFO`)",
            "+cluster|info",
            refusal,
        )),
        None => {}
    }
    findings
}

fn check_info(info: &Info, save: Result<&str, &String>, usage: Usage<'_>) -> Vec<Finding> {
    let Usage {
        by, user, accounts, ..
    } = usage;
    let mut findings = vec![version(info, by)];
    findings.extend(role(info));
    findings.extend(wrong_kind(info, by));
    findings.extend(eviction(info, accounts));
    findings.extend(memory(info));
    findings.extend(persistence(info, save, user, accounts));
    findings.extend(replicas(info, by));
    findings
}

fn version(info: &Info, by: ServerKind) -> Finding {
    let Some(version) = info.text("redis_version") else {
        return note(
            SUBJECT,
            "It does not report its version; Innkeeper needs Redis 6.2 or later, or Valkey.",
        );
    };
    let name = match info.text("valkey_version") {
        Some(own) => format!("Valkey {own}"),
        None => format!("Redis {version}"),
    };
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let major_minor: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if major_minor < (6, 2) {
        return failure(
            SUBJECT,
            &format!("It is {name}."),
            "Innkeeper needs Redis 6.2 or later, or Valkey.",
        );
    }
    let found = match by {
        ServerKind::Server => "it answers",
        ServerKind::Cluster => "the cluster's primaries answer",
        ServerKind::Sentinels => "the Sentinels' primary answers",
    };
    ok(SUBJECT, format!("{name}, and {found}."))
}

fn role(info: &Info) -> Option<Finding> {
    (info.text("role") == Some("slave")).then(|| {
        failure(
            SUBJECT,
            "It is a replica: nobody can sign in or out.",
            "Name the primary, or its Sentinels by `redis-sentinel://`.",
        )
    })
}

fn wrong_kind(info: &Info, by: ServerKind) -> Option<Finding> {
    let is_node = info.number("cluster_enabled") == Some(1);
    (is_node && by != ServerKind::Cluster).then(|| {
        failure(
            SUBJECT,
            "It is one node of a cluster, which refuses the sessions that belong to others.",
            "Use `redis-cluster://host:port?node=host2:port2`.",
        )
    })
}

fn replicas(info: &Info, by: ServerKind) -> Option<Finding> {
    const SUBJECT: &str = "replicas";
    let number = info.number("connected_slaves")?;
    match (by, number) {
        (ServerKind::Server, _) => None,
        (_, 0) => Some(warning(
            SUBJECT,
            "It has no replica: if it fails, its sessions are lost.",
            "Add one.",
        )),
        (_, 1) => Some(ok(SUBJECT, "It has one that can take its place.")),
        (_, number) => Some(ok(
            SUBJECT,
            format!("It has {number} that can take its place."),
        )),
    }
}

fn latency(round_trip: Duration, request_timeout: Duration) -> Finding {
    const SUBJECT: &str = "latency";
    let (took, limit) = (
        round_trip.as_secs_f64() * 1000.0,
        request_timeout.as_millis(),
    );
    let fact = format!(
        "A round trip takes {took:.1} ms, and a request waits at most {limit} ms for Redis."
    );
    if round_trip > request_timeout / 10 {
        warning(
            SUBJECT,
            &fact,
            "Move Redis closer, or raise `redis_timeout_ms`.",
        )
    } else {
        ok(SUBJECT, fact)
    }
}

/// `ahead`: by how many milliseconds the server's clock is ahead of this machine's.
fn clock(ahead: i64) -> Finding {
    const SUBJECT: &str = "clock";
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let apart = ahead.unsigned_abs() as f64 / 1000.0;
    if apart < 1.0 {
        return ok(
            SUBJECT,
            "It differs from this machine's by less than a second.",
        );
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    warning(
        SUBJECT,
        &format!(
            "It is {apart:.1} s {direction} this machine's: sessions end on time, because Redis measures them, but this \
             machine shows wrong times."
        ),
        "Synchronise all clocks by NTP.",
    )
}

fn check_cluster(info: &Info) -> Option<Finding> {
    let state = info.text("cluster_state")?;
    (state != "ok").then(|| {
        failure(
            "cluster",
            &format!(
                "`CLUSTER INFO` says `cluster_state:{state}`: some sessions cannot be reached."
            ),
            "See `redis-cli --cluster check`.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    const WELL: &str = "redis_version:7.0.15\r\nrole:master\r\nconnected_slaves:1\r\ncluster_enabled:0\r\n\
        maxmemory:1000\r\nused_memory:800\r\nmaxmemory_policy:noeviction\r\nevicted_keys:0\r\naof_enabled:1\r\n";

    fn server(changed: &str, save: Result<&str, &str>) -> ServerReport {
        // The last value of a name counts.
        let info = Info::parse(&format!("{WELL}{}", changed.replace(' ', "\r\n")));
        ServerReport {
            name: None,
            info: Ok(info),
            save: save.map(str::to_owned).map_err(str::to_owned),
            clock: Ok(ClockOffset {
                round_trip: Duration::from_millis(1),
                ahead: 0,
            }),
            denied: Vec::new(),
            cluster: None,
        }
    }

    fn usage(by: ServerKind) -> Usage<'static> {
        Usage {
            by,
            user: "innkeeper",
            request_timeout: Duration::from_secs(1),
            passwords: false,
            metrics: false,
            accounts: false,
        }
    }

    /// What is not ok.
    fn troubles(server: &ServerReport, by: ServerKind) -> Vec<(&'static str, Level)> {
        let findings = check(server, usage(by)).into_iter();
        let troubles = findings.filter(|finding| finding.level > Level::Ok);
        troubles
            .map(|finding| (finding.subject, finding.level))
            .collect()
    }

    #[test]
    fn what_will_cause_trouble_is_reported() {
        use Level::{Failure, Note, Warning};
        use ServerKind::{Cluster, Sentinels, Server};
        let denied = Err("NOPERM");
        for (changed, by, expected) in [
            ("", Server, &[][..]),
            ("redis_version:6.2.0", Server, &[]),
            ("redis_version:6.0.16", Server, &[("Redis", Failure)]),
            ("redis_version:10.1", Server, &[]),
            ("role:slave", Server, &[("Redis", Failure)]),
            ("cluster_enabled:1", Server, &[("Redis", Failure)]),
            ("cluster_enabled:1", Cluster, &[]),
            (
                "maxmemory_policy:allkeys-lru",
                Server,
                &[("eviction", Warning)],
            ),
            (
                "maxmemory_policy:volatile-ttl",
                Server,
                &[("eviction", Warning)],
            ),
            (
                "maxmemory_policy:allkeys-lru maxmemory:0",
                Server,
                &[("eviction", Note), ("memory", Note)],
            ),
            ("evicted_keys:5", Server, &[("eviction", Warning)]),
            ("used_memory:809", Server, &[]),
            ("used_memory:810", Server, &[("memory", Warning)]),
            ("connected_slaves:0", Server, &[]),
            ("connected_slaves:0", Cluster, &[("replicas", Warning)]),
            ("connected_slaves:0", Sentinels, &[("replicas", Warning)]),
        ] {
            let found = troubles(&server(changed, Ok("")), by);
            assert_eq!(found, expected, "{changed} {by:?}");
        }
        for (aof_enabled, save, expected) in [
            (1, Ok("3600 1"), &[][..]),
            (1, denied, &[]),
            (0, Ok("3600 1"), &[("persistence", Warning)]),
            (0, Ok(""), &[("persistence", Note)]),
            (0, denied, &[("persistence", Warning)]),
        ] {
            let changed = format!("aof_enabled:{aof_enabled}");
            let found = troubles(&server(&changed, save), Server);
            assert_eq!(found, expected, "{changed} {save:?}");
        }
    }

    #[test]
    fn accounts_must_not_vanish() {
        use Level::{Failure, Note, Warning};
        let with_accounts = Usage {
            accounts: true,
            ..usage(ServerKind::Server)
        };
        for (changed, save, expected) in [
            ("", Ok(""), &[][..]),
            (
                "maxmemory_policy:allkeys-lru",
                Ok(""),
                &[("eviction", Failure)],
            ),
            (
                "maxmemory_policy:volatile-ttl",
                Ok(""),
                &[("eviction", Failure)],
            ),
            (
                "maxmemory_policy:allkeys-lru maxmemory:0",
                Ok(""),
                &[("eviction", Note), ("memory", Note)],
            ),
            ("aof_enabled:0", Ok(""), &[("persistence", Failure)]),
            ("aof_enabled:0", Ok("3600 1"), &[("persistence", Warning)]),
            ("aof_enabled:0", Err("NOPERM"), &[("persistence", Warning)]),
        ] {
            let findings = check(&server(changed, save), with_accounts).into_iter();
            let troubles = findings.filter(|finding| finding.level > Level::Ok);
            let found: Vec<_> = troubles.map(|one| (one.subject, one.level)).collect();
            assert_eq!(found, expected, "{changed} {save:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_a_warning() {
        let mut refusing = server("", Ok(""));
        refusing.info = Err("NOPERM".to_owned());
        refusing.clock = Err("NOPERM".to_owned());
        refusing.cluster = Some(Err("NOPERM".to_owned()));
        assert_eq!(
            troubles(&refusing, ServerKind::Cluster),
            [("Redis", Level::Warning); 3]
        );
    }

    #[test]
    fn latency_is_measured_against_the_timeout_of_a_request() {
        let level = |millis| latency(Duration::from_millis(millis), Duration::from_secs(1)).level;
        assert_eq!([100, 101].map(level), [Level::Ok, Level::Warning]);
        let levels = [999, -999, 1000, -1000].map(|ahead| clock(ahead).level);
        assert_eq!(
            levels,
            [Level::Ok, Level::Ok, Level::Warning, Level::Warning]
        );
    }

    #[test]
    fn a_cluster_must_be_whole() {
        assert_eq!(check_cluster(&Info::parse("cluster_state:ok")), None);
        let broken = check_cluster(&Info::parse("cluster_state:fail"));
        assert_eq!(broken.map(|one| one.level), Some(Level::Failure));
    }
}
