//! The connections to Redis: shared, taken in turn, and replaced when they are of no use any more.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::eventually;
use crate::support::http;
use crate::support::program::Program;
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;
use crate::support::scrape::Scrape;
use crate::tls::{certificate, with_tls};

const UNKNOWN: &str = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";

fn program(redis_url: &str, connections: &str) -> Program {
    Program::start(&[
        ("REDIS_URL", redis_url),
        ("INNKEEPER_REDIS_CONNECTIONS", connections),
        ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
    ])
}

/// Asks until all of the connections have been made.
fn open_all(port: u16, proxy: &Proxy, connections: usize) {
    eventually("all connections to be made", || {
        assert_eq!(http::profile_status(port, UNKNOWN), 404);
        (proxy.connections() >= connections).then_some(())
    });
    assert_eq!(proxy.connections(), connections);
}

#[test]
fn as_many_connections_as_configured_are_used_in_turn() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let program = program(&proxy.url(), "4");
    open_all(program.port(), &proxy, 4);
    for _ in 0..40 {
        assert_eq!(http::profile_status(program.port(), UNKNOWN), 404);
    }
    assert_eq!(proxy.connections(), 4);
    let metrics = Scrape::of(program.metrics_port());
    for name in [
        "innkeeper_store_connections",
        "innkeeper_store_connections_max",
    ] {
        assert!((metrics.value(name) - 4.0).abs() < 0.5, "{name}");
    }
    // Each of them has had its share of the commands.
    let clients: String = redis.run("CLIENT LIST");
    let ours: Vec<_> = clients
        .lines()
        .filter(|client| client.contains("user=innkeeper"))
        .collect();
    assert_eq!(ours.len(), 4, "{clients}");
    for client in ours {
        let field = client
            .split(' ')
            .find_map(|pair| pair.strip_prefix("tot-net-in="));
        // Redis before 7.0 does not say.
        let bytes: usize = field.map_or(1_000, |bytes| bytes.parse().unwrap());
        assert!(bytes >= 1_000, "{clients}");
    }
}

#[test]
fn a_number_of_connections_that_cannot_be_stops_the_launch() {
    let folder = tempfile::tempdir().unwrap();
    for number in ["0", "65", "many"] {
        let variables = [("INNKEEPER_REDIS_CONNECTIONS", number)];
        let said = Program::refusal(folder.path(), &variables);
        assert!(said.contains("`redis_connections`"), "{said}");
        assert!(said.contains("1 to 64"), "{said}");
    }
}

/// A quiet site behind a firewall: all connections look well and lead nowhere.
#[test]
fn connections_that_a_firewall_forgot_cost_one_request() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let program = Program::start(&[
        ("REDIS_URL", &proxy.url()),
        ("INNKEEPER_REDIS_CONNECTIONS", "4"),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "2000"),
    ]);
    let port = program.port();
    for round in 1..=3 {
        open_all(port, &proxy, 4 * round);
        let id = http::log_in(port, "abdullah");
        proxy.forget_connections();
        let statuses: Vec<_> = (0..12).map(|_| http::profile_status(port, &id)).collect();
        let failed = statuses.iter().filter(|status| **status == 503).count();
        assert!(failed <= 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|status| [200, 503].contains(status)),
            "{statuses:?}"
        );
    }
    assert!(
        !program.log().contains("Redis is unavailable"),
        "{}",
        program.log()
    );
}

/// `/proc/net/tcp` says of each connection which of its timers runs: 2 is keepalive.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_is_kept_alive() {
    let redis = RedisServer::start();
    let program = program(&redis.url(), "2");
    for _ in 0..4 {
        assert_eq!(http::profile_status(program.port(), UNKNOWN), 404);
    }
    let there = format!("0100007F:{:04X}", redis.port());
    eventually("keepalive to be the only timer", || {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let timers: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|row| row[2] == there && row[3] == "01")
            .map(|row| row[5].split_once(':').unwrap().0.to_owned())
            .collect();
        (timers.len() >= 2 && timers.iter().all(|timer| timer == "02")).then_some(())
    });
}

/// A hundred clients, and now and then a connection is lost: who was on it is served by another one.
#[test]
fn a_connection_that_is_lost_under_load_is_no_outage() {
    let redis = RedisServer::start();
    for connections in ["1", "4"] {
        let proxy = Proxy::to(&redis.url());
        let program = Program::start(&[
            ("REDIS_URL", &proxy.url()),
            ("INNKEEPER_REDIS_CONNECTIONS", connections),
            // Slowness is not the subject.
            ("INNKEEPER_REDIS_TIMEOUT_MS", "20000"),
        ]);
        let port = program.port();
        let id = http::log_in(port, "abdullah");
        let served: Vec<_> = (0..100).map(|_| AtomicUsize::new(0)).collect();
        let (id, over) = (&id, &AtomicBool::new(false));
        thread::scope(|scope| {
            for served in &served {
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        if http::profile_status(port, id) == 200 {
                            served.fetch_add(1, Ordering::Relaxed);
                        } else {
                            over.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
            for fault in [Fault::Cut, Fault::LoseReply, Fault::Reset].repeat(4) {
                proxy.plan(0, &[fault]);
                eventually("the connection to be lost", || {
                    (!proxy.is_pending()).then_some(())
                });
                // Until nobody's request is under way any more that was when it was lost.
                let count = |client: &AtomicUsize| client.load(Ordering::Relaxed);
                let before: Vec<_> = served.iter().map(count).collect();
                eventually("everybody to be served", || {
                    let has_gone_on =
                        |(client, before): (&AtomicUsize, &usize)| count(client) >= before + 2;
                    let all = served.iter().zip(&before).all(has_gone_on);
                    (all || over.load(Ordering::Relaxed)).then_some(())
                });
            }
            assert!(!over.swap(true, Ordering::Relaxed), "{}", program.log());
        });
        assert!(
            !program.log().contains("Redis is unavailable"),
            "{}",
            program.log()
        );
    }
}

/// Its connections may lead to a server that has become a replica, and a new one to the primary: but not to each
/// request one.
#[test]
fn a_server_that_refuses_is_not_flooded_with_connections() {
    for connections in ["1", "4"] {
        let (redis, primary) = (RedisServer::start(), RedisServer::start());
        let program = program(&redis.url(), connections);
        let port = program.port();
        let id = http::log_in(port, "abdullah");
        redis.run::<()>("CONFIG SET replica-read-only yes");
        let address = primary.address().replace(':', " ");
        redis.run::<()>(&format!("REPLICAOF {address}"));
        let received = || {
            let info: String = redis.run("INFO stats");
            let (_, rest) = info.split_once("total_connections_received:").unwrap();
            rest.lines().next().unwrap().parse::<u64>().unwrap()
        };
        let (before, begun) = (received(), Instant::now());
        for _ in 0..100 {
            assert_eq!(http::profile_status(port, &id), 503);
            thread::sleep(Duration::from_millis(10));
        }
        let places: u64 = connections.parse().unwrap();
        // Two a second, those that were not open yet, and the two that count.
        let allowed = 2 * (begun.elapsed().as_secs() + 1) + places + 1;
        let more = received() - before;
        assert!(more <= allowed, "{more} in {:?}", begun.elapsed());

        // It serves again as soon as it may write.
        redis.run::<()>("REPLICAOF NO ONE");
        let id = eventually("the server to be used again", || {
            let json = "Content-Type: application/json";
            let body = r#"{"username":"zoe"}"#;
            let answer = http::request(port, "POST /login/", &[json], body);
            (http::status(&answer) == 200).then(|| http::log_in(port, "zoe"))
        });
        assert_eq!(http::profile_status(port, &id), 200);
    }
}

/// Else each connection reads some hundred files.
#[test]
fn the_systems_authorities_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let redis = RedisServer::start();
    let port = with_tls(&redis, &certificate, &key);
    let program = Program::start(&[
        (
            "REDIS_URL",
            &format!("rediss://innkeeper:least@localhost:{port}"),
        ),
        ("SSL_CERT_FILE", certificate.to_str().unwrap()),
    ]);
    let id = http::log_in(program.port(), "abdullah");
    fs::remove_file(&certificate).unwrap();
    let ended: u64 = redis.run("CLIENT KILL USER innkeeper");
    assert!(ended >= 1);
    let status = http::profile_status(program.port(), &id);
    assert_eq!(status, 200, "{}", program.log());
}
