//! Redis in every form that an address can name: a socket, a cluster, behind Sentinels.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;
use crate::support::sentinel::Sentinels;

#[test]
fn a_unix_socket_is_an_address() {
    let redis = RedisServer::start();
    let socket = redis.socket();
    for scheme in ["unix", "redis+unix"] {
        let url = format!("{scheme}://{}?user=innkeeper&pass=least", socket.display());
        let program = Program::start(&[("REDIS_URL", &url)]);
        let id = http::log_in(program.port(), "abdullah");
        assert_eq!(http::profile_status(program.port(), &id), 200);
        assert!(redis.keys().contains(&format!("session:{id}")), "{scheme}");
    }
}

/// Signs in, lists, ends: whatever has several keys, which in a cluster lie apart.
fn assert_all_works(port: u16, user: &str) {
    let ids: Vec<_> = (0..8).map(|_| http::log_in(port, user)).collect();
    let cookie = format!("Cookie: session_id={}", ids[0]);
    let listed = http::request(port, "GET /sessions/", &[&cookie], "");
    assert_eq!(listed.matches("\"device\"").count(), 8, "{listed}");
    let ended = http::request(port, "DELETE /sessions/others", &[&cookie], "");
    assert!(ended.contains("\"ended\":7"), "{ended}");
    for id in &ids[1..] {
        assert_eq!(http::profile_status(port, id), 404);
    }
    let why = format!("Cookie: session_id={}", ids[1]);
    let why = http::request(port, "GET /session/", &[&why], "");
    assert!(why.contains("\"reason\""), "{why}");
    assert_eq!(http::profile_status(port, &ids[0]), 200);
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200);
    assert_eq!(http::profile_status(port, &ids[0]), 404);
}

/// A session whose key lies on this of the first three nodes.
fn session_on(cluster: &Cluster, port: u16, node: usize) -> (String, u16) {
    (0..200)
        .map(|_| http::log_in(port, "abdullah"))
        .find_map(|id| {
            let (place, slot) = cluster.place_of(&format!("session:{id}"));
            (place == node).then_some((id, slot))
        })
        .unwrap()
}

#[test]
fn a_cluster_serves_while_slots_move_and_primaries_die() {
    let mut cluster = Cluster::start();
    let url = cluster.url();
    let program = Program::start(&[
        ("REDIS_URL", &url),
        ("INNKEEPER_MAX_SESSIONS_PER_USER", "300"),
    ]);
    let port = program.port();
    assert_all_works(port, "zoe");

    // A slot on its way: some keys are here, some there, and a new one begins where the slot goes.
    let (id, slot) = session_on(&cluster, port, 1);
    cluster.begin_move(slot, 1, 2);
    assert_eq!(http::profile_status(port, &id), 200);
    cluster.move_keys(slot, 1, 2);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(http::profile_status(port, &id), 200);
                }
            });
        }
    });
    cluster.end_move(slot, 2);
    for _ in 0..5 {
        assert_eq!(http::profile_status(port, &id), 200);
    }
    let cookie = format!("Cookie: session_id={id}");
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200);
    assert_eq!(http::profile_status(port, &id), 404);

    // A primary dies: those whose sessions lie elsewhere go on, nobody is signed out.
    let (lost, _) = session_on(&cluster, port, 0);
    let (other, _) = session_on(&cluster, port, 1);
    cluster.nodes[0].wait_for(&cluster.nodes[3]);
    cluster.nodes[0].kill();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(800) {
        for id in [&lost, &other] {
            let status = http::profile_status(port, id);
            assert!([200, 503].contains(&status), "{status}");
        }
    }
    cluster.wait_for_promotion();
    assert_found_again(port, &[&lost, &other]);
    assert_all_works(port, "zoe");
}

/// Two seconds are promised; the bound leaves room for a slow machine.
///
/// Takes those two seconds: meanwhile a connection may come that was begun when not all had heard of the change.
#[track_caller]
fn assert_found_again(port: u16, ids: &[&str]) {
    let begun = Instant::now();
    for id in ids {
        eventually(
            "a session to be found again",
            || match http::profile_status(port, id) {
                200 => Some(()),
                503 => None,
                other => panic!("{other} for a live session"),
            },
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    thread::sleep(Duration::from_secs(2).saturating_sub(begun.elapsed()));
}

/// A node that is silent but not gone breaks no connection.
#[test]
fn a_silent_primary_of_a_cluster_is_left_for_its_replica() {
    let cluster = Cluster::start();
    let url = cluster.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "500"),
        ("INNKEEPER_MAX_SESSIONS_PER_USER", "300"),
    ];
    let program = Program::start(&variables);
    let port = program.port();
    let (silent, _) = session_on(&cluster, port, 0);
    let (other, _) = session_on(&cluster, port, 1);
    cluster.nodes[0].wait_for(&cluster.nodes[3]);
    cluster.nodes[0].signal("STOP");
    assert_eq!(http::profile_status(port, &silent), 503);
    cluster.wait_for_promotion();
    assert_found_again(port, &[&silent, &other]);
    cluster.nodes[0].signal("CONT");
    for id in [&silent, &other] {
        assert_eq!(http::profile_status(port, id), 200);
    }
}

#[test]
fn sentinels_lead_to_the_new_primary() {
    let mut sentinels = Sentinels::start();
    let url = sentinels.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let port = program.port();
    assert_all_works(port, "zoe");
    let id = http::log_in(port, "abdullah");
    sentinels.primary.wait_for(&sentinels.replica);

    sentinels.primary.kill();
    let status = http::profile_status(port, &id);
    assert_eq!(status, 503);
    sentinels.wait_for_promotion();
    assert_found_again(port, &[&id]);
    assert_all_works(port, "zoe");
    assert!(sentinels.replica.keys().contains(&format!("session:{id}")));
}

/// A planned failover demotes the primary, which then lives on and refuses to write (T3).
#[test]
fn connections_to_a_demoted_primary_are_dropped() {
    let sentinels = Sentinels::start();
    let url = sentinels.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    sentinels.primary.wait_for(&sentinels.replica);
    sentinels.fail_over();
    sentinels.wait_for_promotion();
    eventually("the old primary to follow", || {
        let status = http::profile_status(port, &id);
        assert!([200, 503].contains(&status), "{status}");
        let info: String = sentinels.primary.try_run("INFO replication").ok()?;
        info.contains("role:slave").then_some(())
    });
    assert_found_again(port, &[&id]);
    assert_all_works(port, "zoe");
}

/// What one silent node holds is out of reach, and nothing else: others go on, and who signs out is signed out.
#[test]
fn one_silent_node_costs_nobody_else_anything() {
    let cluster = Cluster::start();
    cluster.promote_nobody();
    let url = cluster.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_MAX_SESSIONS_PER_USER", "300"),
    ];
    let program = Program::start(&variables);
    let port = program.port();
    let (silent, _) = session_on(&cluster, port, 0);
    let (well, _) = session_on(&cluster, port, 1);
    // Its reason would be kept on the silent node.
    let leaving = (0..200)
        .map(|_| http::log_in(port, "abdullah"))
        .find(|id| {
            let place = |kind: &str| cluster.place_of(&format!("{kind}:{id}")).0;
            place("session") != 0 && place("ended_session") == 0
        })
        .unwrap();
    cluster.nodes[0].signal("STOP");
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(http::profile_status(port, &silent), 503));
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2500) {
            assert_eq!(http::profile_status(port, &well), 200);
        }
    });
    assert!(
        !program.log().contains("Redis is unavailable"),
        "{}",
        program.log()
    );
    let cookie = format!("Cookie: session_id={leaving}");
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200, "{answer}");
    assert_eq!(http::profile_status(port, &leaving), 404);
}

/// Sessions of one user, whose list is on a well node: the first of them on a well node, and some on each of them.
fn sessions_of_one_user(cluster: &Cluster, port: u16) -> (String, Vec<String>, Vec<String>) {
    let user = (0..100)
        .map(|number| format!("user{number}"))
        .find(|user| cluster.place_of(&format!("user_sessions:{user}")).0 != 0)
        .unwrap();
    let (mut well, mut silent) = (Vec::new(), Vec::new());
    while well.len() < 4 || silent.len() < 2 {
        let id = http::log_in(port, &user);
        if cluster.place_of(&format!("session:{id}")).0 == 0 {
            silent.push(id);
        } else {
            well.push(id);
        }
    }
    (user, well, silent)
}

/// Who has a session on a silent node sees and ends the others, is told that they are not all, and can sign in.
#[test]
fn one_silent_node_keeps_nobody_from_his_other_sessions() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        node.run::<()>("CONFIG SET cluster-node-timeout 60000");
    }
    let url = cluster.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let port = program.port();
    let (_, well, silent) = sessions_of_one_user(&cluster, port);
    let capped = Program::start(&[
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_MAX_SESSIONS_PER_USER", "2"),
    ]);
    let other = (0..100)
        .map(|number| format!("other{number}"))
        .find(|user| cluster.place_of(&format!("user_sessions:{user}")).0 != 0)
        .unwrap();
    http::log_in(capped.port(), "zoe");
    // The two oldest lie on the silent node.
    for _ in 0..2 {
        (0..200)
            .map(|_| http::log_in(port, &other))
            .find(|id| {
                let there = cluster.place_of(&format!("session:{id}")).0 == 0;
                if !there {
                    let cookie = format!("Cookie: session_id={id}");
                    http::request(port, "POST /logout/", &[&cookie], "");
                }
                there
            })
            .unwrap();
    }

    cluster.nodes[0].signal("STOP");
    let cookie = format!("Cookie: session_id={}", well[0]);
    let listed = http::request(port, "GET /sessions/", &[&cookie], "");
    assert_eq!(http::status(&listed), 200, "{listed}");
    assert!(listed.contains("\"complete\":false"), "{listed}");
    assert_eq!(listed.matches("\"device\"").count(), well.len(), "{listed}");
    let page = http::request(port, "GET /sessions/", &[&cookie, "Accept: text/html"], "");
    assert!(page.contains("not all of your sessions"), "{page}");

    let others = |path| http::request(port, path, &[&cookie], "");
    let answer = others("DELETE /sessions/others");
    assert_eq!(http::status(&answer), 503, "{answer}");
    assert!(answer.contains("may still be alive"), "{answer}");
    assert!(
        answer.to_lowercase().contains("\r\nretry-after: "),
        "{answer}"
    );
    for id in &well[1..] {
        assert_eq!(http::profile_status(port, id), 404);
    }
    let log = program.log();
    assert_eq!(
        log.matches("session ended").count(),
        well.len() - 1,
        "{log}"
    );
    // Whoever wanted to end all of them can still ask again.
    assert_eq!(http::status(&others("DELETE /sessions/")), 503);
    assert_eq!(http::profile_status(port, &well[0]), 200);

    let json = "Content-Type: application/json";
    let body = format!("{{\"username\":\"{other}\"}}");
    let signed_in = (0..20).any(|_| {
        let answer = http::request(capped.port(), "POST /login/", &[json], &body);
        http::status(&answer) == 200
    });
    assert!(signed_in, "{}", capped.log());

    cluster.nodes[0].signal("CONT");
    eventually("the node to answer", || {
        (http::profile_status(port, &silent[0]) == 200).then_some(())
    });
    let listed = http::request(port, "GET /sessions/", &[&cookie], "");
    assert!(!listed.contains("complete"), "{listed}");
    let answer = others("DELETE /sessions/others");
    let told = format!("\"ended\":{}", silent.len());
    assert!(answer.contains(&told), "{answer}");
    for id in &silent {
        assert_eq!(http::profile_status(port, id), 404);
    }
}

/// In a cluster a session is listed before it is written, by an instance that may be given more time than this one.
#[test]
fn a_session_that_is_just_being_written_stays_listed() {
    let cluster = Cluster::start();
    let url = cluster.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "500"),
    ];
    let program = Program::start(&variables);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    let (place, _) = cluster.place_of("user_sessions:abdullah");
    let node = &cluster.nodes[place];
    let (now, _): (u64, u64) = node.run("TIME");
    let [young, old] = [
        "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a",
        "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11",
    ];
    for (id, age) in [(young, 500), (old, 700)] {
        node.run::<u64>(&format!("ZADD user_sessions:abdullah {} {id}", now - age));
    }
    let cookie = format!("Cookie: session_id={id}");
    let listed = http::request(port, "GET /sessions/", &[&cookie], "");
    assert_eq!(listed.matches("\"device\"").count(), 1, "{listed}");
    let names: Vec<String> = node.run("ZRANGE user_sessions:abdullah 0 -1");
    assert!(
        names.contains(&young.to_owned()) && !names.contains(&old.to_owned()),
        "{names:?}"
    );

    // What cannot be listed is not written.
    let user = (0..100)
        .map(|number| format!("user{number}"))
        .find(|user| cluster.place_of(&format!("user_sessions:{user}")).0 == place)
        .unwrap();
    node.run::<()>(&format!("SET user_sessions:{user} x"));
    let json = "Content-Type: application/json";
    let body = format!("{{\"username\":\"{user}\"}}");
    let keys = || -> usize {
        cluster.nodes[..3]
            .iter()
            .map(|node| node.keys().len())
            .sum()
    };
    let before = keys();
    for _ in 0..5 {
        let answer = http::request(port, "POST /login/", &[json], &body);
        assert_eq!(http::status(&answer), 503, "{answer}");
    }
    assert_eq!(keys(), before);
}

/// What has moved is learnt each time, and not only the first: who does not know asks the wrong node first.
#[test]
fn a_slot_that_has_moved_is_soon_asked_for_at_its_new_place() {
    let cluster = Cluster::start();
    let program = Program::start(&[("REDIS_URL", &cluster.url())]);
    let port = program.port();
    for _ in 0..2 {
        let id = http::log_in(port, "abdullah");
        let (from, slot) = cluster.place_of(&format!("session:{id}"));
        let to = (from + 1) % 3;
        cluster.begin_move(slot, from, to);
        cluster.move_keys(slot, from, to);
        cluster.end_move(slot, to);
        let redirects = || {
            let stats: String = cluster.nodes[from].run("INFO errorstats");
            let moved = stats.split("errorstat_MOVED:count=").nth(1);
            moved.map(|rest| rest.split(['\r', '\n']).next().unwrap().to_owned())
        };
        eventually("the move to be known", || {
            let before = redirects();
            for _ in 0..3 {
                assert_eq!(http::profile_status(port, &id), 200);
            }
            (redirects() == before).then_some(())
        });
        // The next look at the slots is another one.
        thread::sleep(Duration::from_millis(600));
    }
}
