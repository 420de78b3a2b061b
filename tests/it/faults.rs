//! Whatever a Redis can do to its clients: nobody waits long, nobody is signed out, and its recovery is noticed.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::eventually;
use crate::support::http;
use crate::support::program::Program;
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;

const FAULTS: [Fault; 17] = [
    Fault::Cut,
    Fault::Reset,
    Fault::Swallow,
    Fault::LoseReply,
    Fault::Say("LOADING Redis is loading the dataset in memory"),
    Fault::Say("READONLY You can't write against a read only replica."),
    Fault::Say("OOM command not allowed when used memory > 'maxmemory'."),
    Fault::Say("NOAUTH Authentication required."),
    Fault::Say("WRONGPASS invalid username-password pair or user is disabled."),
    Fault::Say("NOPERM this user has no permissions to run this command"),
    Fault::Say(
        "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
    ),
    Fault::Say("NOREPLICAS Not enough good replicas to write."),
    Fault::Say("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
    Fault::Say("CLUSTERDOWN Hash slot not served"),
    Fault::Say("WRONGTYPE Operation against a key holding the wrong kind of value"),
    Fault::Say("BUSY Redis is busy running a script."),
    Fault::Say("ERR max number of clients reached"),
];

const TIMEOUT: Duration = Duration::from_millis(400);

#[test]
fn no_fault_of_redis_costs_more_than_its_time_or_anybody_his_session() {
    let redis = RedisServer::start();
    for fault in FAULTS {
        let proxy = Proxy::to(&redis.url());
        let timeout = TIMEOUT.as_millis().to_string();
        let url = proxy.url();
        let variables = [
            ("REDIS_URL", url.as_str()),
            ("INNKEEPER_REDIS_TIMEOUT_MS", &timeout),
        ];
        let program = Program::start(&variables);
        let port = program.port();
        let id = http::log_in(port, "abdullah");
        proxy.always(Some(fault));
        assert_refused(port, &id, fault);
        proxy.always(None);
        let begun = Instant::now();
        eventually("Redis to be used again", || {
            let status = http::profile_status(port, &id);
            assert!([200, 503].contains(&status), "{fault:?}: {status}");
            (status == 200).then_some(())
        });
        // Two seconds are promised; the bounds leave room for a slow machine.
        assert!(begun.elapsed() < Duration::from_secs(8), "{fault:?}");
        let log = program.log();
        assert!(!log.contains("panicked"), "{fault:?}: {log}");
        assert!(
            log.matches("Redis is unavailable").count() <= 1,
            "{fault:?}: {log}"
        );
        assert!(!log.contains(&id), "{fault:?}: {log}");
    }
}

#[track_caller]
fn assert_refused(port: u16, id: &str, fault: Fault) {
    let cookie = format!("Cookie: session_id={id}");
    let waits: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..100)
            .map(|client| {
                let cookie = &cookie;
                scope.spawn(move || {
                    let (head, accept) = match client % 4 {
                        0 => ("GET /profile/", "Accept: */*"),
                        1 => ("GET /profile/", "Accept: text/html"),
                        2 => ("GET /sessions/", "Accept: */*"),
                        _ => ("GET /session/", "Accept: */*"),
                    };
                    let begun = Instant::now();
                    let answer = http::request(port, head, &[cookie, accept], "");
                    let waited = begun.elapsed();
                    assert_eq!(http::status(&answer), 503, "{fault:?}: {answer}");
                    let text = answer.to_lowercase();
                    assert!(text.contains("\r\nretry-after: "), "{fault:?}: {answer}");
                    assert!(!text.contains("set-cookie"), "{fault:?}: {answer}");
                    assert!(!text.contains("expired"), "{fault:?}: {answer}");
                    if accept.ends_with("html") {
                        assert!(answer.contains("You are still signed in"), "{answer}");
                        assert!(
                            (5..=15).contains(&retry_without_script(&answer)),
                            "{answer}"
                        );
                    }
                    waited
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    let longest = waits.into_iter().max().unwrap();
    assert!(
        longest < TIMEOUT + Duration::from_secs(4),
        "{fault:?}: {longest:?}"
    );
}

/// After how many seconds the page is loaded again by a browser that runs no scripts.
#[track_caller]
fn retry_without_script(page: &str) -> u32 {
    let (_, rest) = page
        .split_once("<noscript><meta http-equiv=\"refresh\" content=\"")
        .expect("a page that is loaded again");
    let (seconds, _) = rest.split_once('"').unwrap();
    seconds.parse().unwrap()
}
