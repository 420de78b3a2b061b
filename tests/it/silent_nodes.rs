//! A node of a cluster that is silent and not gone (T36): it costs those whose sessions it holds, until another one
//! has taken its place, and nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::http;
use crate::support::program::Program;

const TIMEOUT: Duration = Duration::from_secs(1);

fn program(url: &str) -> Program {
    Program::start(&[
        ("REDIS_URL", url),
        ("INNKEEPER_MAX_SESSIONS_PER_USER", "300"),
    ])
}

/// A session on each of the three primaries, in their order.
fn a_session_on_each(cluster: &Cluster, port: u16) -> [String; 3] {
    let mut found = [const { None }; 3];
    while found.contains(&None) {
        let id = http::log_in(port, "abdullah");
        let (place, _) = cluster.place_of(&format!("session:{id}"));
        found[place] = Some(id);
    }
    found.map(Option::unwrap)
}

/// Asks for a profile; the answer must come in time, whatever it is, and not be that the session is over.
#[track_caller]
fn serves(port: u16, id: &str) -> bool {
    let begun = Instant::now();
    let status = http::profile_status(port, id);
    // The bound leaves room for a slow machine.
    assert!(
        begun.elapsed() < TIMEOUT + Duration::from_secs(2),
        "{begun:?}"
    );
    assert!([200, 503].contains(&status), "{status}");
    status == 200
}

/// Waits until all of these are served, and no longer than this.
#[track_caller]
fn assert_served_within(limit: Duration, port: u16, ids: &[String]) {
    let begun = Instant::now();
    while !ids.iter().all(|id| serves(port, id)) {
        assert!(begun.elapsed() < limit, "not served after {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Asks for these for a while, and none may fail.
#[track_caller]
fn assert_served_throughout(time: Duration, port: u16, ids: &[String]) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        for id in ids {
            assert!(serves(port, id), "after {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_silent_seed_is_left_for_its_replica_by_all_programs() {
    let cluster = Cluster::start();
    let url = cluster.url_of(0, &[1, 2]);
    let running = program(&url);
    let ids = a_session_on_each(&cluster, running.port());
    cluster.nodes[0].wait_for(&cluster.nodes[3]);
    cluster.nodes[0].signal("STOP");
    let begun_during_silence = program(&url);
    assert_served_within(
        Duration::from_secs(5),
        begun_during_silence.port(),
        &ids[1..],
    );
    cluster.wait_for_promotion();
    for program in [&running, &begun_during_silence] {
        assert_served_within(Duration::from_secs(10), program.port(), &ids);
    }
    let begun_after_promotion = program(&url);
    assert_served_within(Duration::from_secs(5), begun_after_promotion.port(), &ids);
    let programs = [&running, &begun_during_silence, &begun_after_promotion];
    for program in programs {
        assert_served_throughout(Duration::from_secs(1), program.port(), &ids);
    }
    cluster.nodes[0].signal("CONT");
    for program in programs {
        assert_served_throughout(Duration::from_secs(1), program.port(), &ids);
    }
}

/// Seed or not: those whose sessions it holds wait for it, and nobody else.
#[test]
fn a_program_that_is_started_beside_a_silent_node_serves_what_the_others_hold() {
    let cluster = Cluster::start();
    cluster.promote_nobody();
    let running = program(&cluster.url());
    let [silent, well @ ..] = a_session_on_each(&cluster, running.port());
    cluster.nodes[0].signal("STOP");
    for url in [cluster.url(), cluster.url_of(0, &[1, 2])] {
        let fresh = program(&url);
        assert_served_within(Duration::from_secs(5), fresh.port(), &well);
        for port in [fresh.port(), running.port()] {
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        while !over.load(Ordering::Relaxed) {
                            assert!(!serves(port, &silent));
                        }
                    });
                }
                assert_served_throughout(Duration::from_secs(3), port, &well);
                // A load balancer that left this instance out would help nobody.
                for _ in 0..10 {
                    let ready = http::request(port, "GET /readyz", &[], "");
                    assert_eq!(http::status(&ready), 200, "{ready}");
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        assert!(
            !fresh.log().contains("Redis is unavailable"),
            "{}",
            fresh.log()
        );
    }
    cluster.nodes[0].signal("CONT");
    assert_served_within(Duration::from_secs(5), running.port(), &[silent]);
}
