//! The store is down: 503, the cookie untouched, nobody taken for signed out.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use innkeeper::{
    Clock, Lifetimes, RedisAddress, RedisOptions, RedisStore, Secret, SessionId, Sessions,
    StoreError,
};
use serde_json::json;

use crate::support::http;
use crate::support::program::Program;
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;

/// Waits until Innkeeper has found its Redis again; it looks by itself.
fn wait_until_found(port: u16) {
    let unknown = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let begun = Instant::now();
    crate::support::eventually("Redis to be found again", || {
        (http::profile_status(port, unknown) == 404).then_some(())
    });
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
}

/// Innkeeper with `redis_timeout_ms` of the test's own.
fn program_that_waits(milliseconds: &str, redis_url: &str) -> Program {
    let timeout = ("INNKEEPER_REDIS_TIMEOUT_MS", milliseconds);
    // A proxy counts the steps of a request, and making a connection would be one of them.
    let connections = ("INNKEEPER_REDIS_CONNECTIONS", "1");
    Program::start(&[("REDIS_URL", redis_url), timeout, connections])
}

const HTML: &str = "Accept: text/html";

#[track_caller]
fn assert_unavailable(answer: &str) {
    assert_eq!(http::status(answer), 503, "{answer}");
    let head = answer.to_lowercase();
    assert!(head.contains("\r\nretry-after: "), "{answer}");
    assert!(!head.contains("set-cookie"), "{answer}");
}

/// Every request that needs the store, as a program and as a browser.
#[track_caller]
fn assert_everything_is_unavailable(port: u16, id: &str) {
    let cookie = format!("Cookie: session_id={id}");
    let json = "Content-Type: application/json";
    let body = json!({ "username": "abdullah" }).to_string();
    for accept in ["Accept: application/json", HTML] {
        // Who has no session is not told that he is still signed in.
        let answer = http::request(port, "POST /login/", &[accept, json], &body);
        assert_unavailable(&answer);
        assert!(!answer.contains("still signed in"), "{answer}");
        for answer in [
            http::request(port, "GET /profile/", &[accept, &cookie], ""),
            http::request(port, "POST /logout/", &[accept, &cookie], ""),
            http::request(port, "POST /login/", &[accept, json, &cookie], &body),
            http::request(port, "GET /login/", &[accept, &cookie], ""),
            http::request(port, "GET /", &[accept, &cookie], ""),
        ] {
            assert_unavailable(&answer);
            if accept == HTML {
                assert!(answer.contains("You are still signed in"), "{answer}");
            } else {
                assert!(answer.contains("{\"detail\":\""), "{answer}");
            }
        }
    }
}

#[test]
fn a_dead_redis_signs_nobody_out_and_its_return_is_noticed() {
    let mut redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let id = http::log_in(program.port(), "abdullah");

    redis.kill();
    assert_everything_is_unavailable(program.port(), &id);

    redis.restart();
    wait_until_found(program.port());
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

#[test]
fn a_silent_redis_costs_no_request_more_than_its_time() {
    let redis = RedisServer::start();
    let program = program_that_waits("300", &redis.url());
    let port = program.port();
    let id = http::log_in(port, "abdullah");

    redis.signal("STOP");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let cookie = format!("Cookie: session_id={id}");
                assert_unavailable(&http::request(port, "GET /profile/", &[&cookie], ""));
            });
        }
    });
    // The default pool lets the last of them wait ten seconds (T2); the bound leaves room for a slow machine.
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );

    // By now it is known that nobody answers, and nobody waits for it.
    let cookie = format!("Cookie: session_id={id}");
    let begun = Instant::now();
    for _ in 0..50 {
        assert_unavailable(&http::request(port, "GET /profile/", &[&cookie], ""));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );

    redis.signal("CONT");
    wait_until_found(port);
    assert_eq!(http::profile_status(port, &id), 200);
    let log = program.log();
    assert_eq!(log.matches("Redis is unavailable").count(), 1, "{log}");
    assert_eq!(log.matches("Redis is available again").count(), 1, "{log}");
}

/// A server that is away in one moment and back in the next costs its visitors nothing but the retry.
#[test]
fn failures_of_single_sessions_are_no_outage() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let odd = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    redis.run::<()>(&format!("SET session:{odd} x"));
    for _ in 0..20 {
        assert_eq!(http::profile_status(port, odd), 503);
    }
    let id = http::log_in(port, "abdullah");
    assert_eq!(http::profile_status(port, &id), 200);
    assert!(
        !program.log().contains("Redis is unavailable"),
        "{}",
        program.log()
    );
}

#[test]
fn innkeeper_starts_before_its_redis() {
    let mut redis = RedisServer::start();
    redis.kill();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    assert_everything_is_unavailable(program.port(), "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a");
    assert_eq!(
        http::status(&http::request(program.port(), "GET /login/", &[HTML], "")),
        200
    );
    redis.restart();
    wait_until_found(program.port());
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

/// T4: with full memory Redis still reads, renews and deletes.
#[test]
fn a_full_redis_fails_sign_in_alone() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    redis.run::<()>("CONFIG SET maxmemory-policy noeviction");
    redis.run::<()>("CONFIG SET maxmemory 1");

    let json = "Content-Type: application/json";
    let answer = http::request(port, "POST /login/", &[json], r#"{"username":"zoe"}"#);
    assert_unavailable(&answer);
    assert_eq!(http::profile_status(port, &id), 200);
    let cookie = format!("Cookie: session_id={id}");
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200);
    assert_eq!(http::profile_status(port, &id), 404);
}

/// A replica reads and cannot renew: that is an outage and not the end of a session.
#[test]
fn a_redis_that_may_not_write_signs_nobody_out() {
    let (redis, primary) = (RedisServer::start(), RedisServer::start());
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    redis.run::<()>("CONFIG SET replica-read-only yes");
    let address = primary.address().replace(':', " ");
    redis.run::<()>(&format!("REPLICAOF {address}"));
    assert_everything_is_unavailable(port, &id);
}

/// The list is only a list: once the session is gone, no answer may say that it lives.
#[test]
fn a_key_that_holds_no_list_keeps_nobody_from_signing_out() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    redis.run::<()>("DEL user_sessions:abdullah");
    redis.run::<()>("SET user_sessions:abdullah x EX 900");
    let cookie = format!("Cookie: session_id={id}");
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200, "{answer}");
    assert_eq!(http::profile_status(port, &id), 404);
}

/// A record that is not ours to read is an error of the store, not a missing session; but its visitor can leave.
#[test]
fn a_key_that_holds_no_session_keeps_nobody_from_signing_out_or_in() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let odd = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let cookie = format!("Cookie: session_id={odd}");
    redis.run::<()>(&format!("SET session:{odd} x"));
    assert_eq!(http::profile_status(port, odd), 503);
    assert!(
        program.log().contains("Redis answered WRONGTYPE"),
        "{}",
        program.log()
    );
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200);
    assert_eq!(http::profile_status(port, odd), 404);

    redis.run::<()>(&format!("SET session:{odd} x"));
    let json = "Content-Type: application/json";
    let answer = http::request(
        port,
        "POST /login/",
        &[json, &cookie],
        r#"{"username":"zoe"}"#,
    );
    assert_eq!(http::status(&answer), 200);
    assert_eq!(http::profile_status(port, odd), 404);

    // Nor does an expiry that no calendar can tell.
    redis.run::<u64>(&format!("DEL session:{odd}"));
    redis.run::<u64>(&format!("HSET session:{odd} user a"));
    redis.run::<u64>(&format!("PEXPIRE session:{odd} 4611686018427387903"));
    let answer = http::request(port, "GET /session/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200);
    assert!(answer.contains(r#""idle_seconds_left":900"#), "{answer}");
    assert_eq!(http::profile_status(port, odd), 200);

    // A birth that no clock can tell is no birth.
    for born in ["18446744073709551615", "9223372036854775000", "-1", "soon"] {
        redis.run::<u64>(&format!("DEL session:{odd}"));
        redis.run::<u64>(&format!("HSET session:{odd} user a _created {born}"));
        assert_eq!(http::profile_status(port, odd), 200, "{born}");
    }
}

/// However many round trips a request has, they share its time; and a slow network is no outage.
#[test]
fn a_slow_redis_costs_no_request_more_than_its_time() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let program = program_that_waits("2000", &proxy.url());
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    proxy.delay(Duration::from_millis(1200));
    assert_eq!(http::profile_status(port, &id), 200);
    // Seeing one's sessions takes three round trips in two operations: each of them alone would have had the time.
    let cookie = format!("Cookie: session_id={id}");
    assert_unavailable(&http::request(port, "GET /sessions/", &[&cookie], ""));
    // Signing out takes one.
    let answer = http::request(port, "POST /logout/", &[&cookie], "");
    assert_eq!(http::status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn calls_with_a_deadline_share_the_timeout_and_others_have_it_each() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let timeout = Duration::from_secs(1);
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(900),
        absolute: None,
    };
    let mut options = RedisOptions::default();
    options.timeout = timeout;
    let (address, clock) = (RedisAddress::Url(Secret::new(url)), Clock::start());
    let store = RedisStore::open(&address, &options, lifetimes, clock.clone()).unwrap();
    let sessions = Sessions::new(Arc::new(store), lifetimes, 1, Some(timeout), clock);
    for (sessions, share) in [(sessions.with_deadline(), true), (sessions, false)] {
        let begun = Instant::now();
        for _ in 0..2 {
            let outcome = sessions.resume(&SessionId::generate()).await;
            assert!(
                matches!(outcome, Err(StoreError::Timeout(_))),
                "{outcome:?}"
            );
        }
        assert!(begun.elapsed() >= timeout);
        assert_eq!(
            begun.elapsed() < 2 * timeout,
            share,
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_connection_that_takes_longer_than_a_request_may_wait_is_made_all_the_same() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    // To make a connection takes two round trips or more.
    proxy.delay(Duration::from_secs(1));
    let program = program_that_waits("1900", &proxy.url());
    let unknown = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    crate::support::eventually("the connection to be made", || {
        (http::profile_status(program.port(), unknown) == 404).then_some(())
    });
    assert_eq!(http::profile_status(program.port(), unknown), 404);
}

#[test]
fn the_first_request_after_a_restart_is_served_however_many_connections_were_lost() {
    let mut redis = RedisServer::start();
    let connections = ("INNKEEPER_REDIS_CONNECTIONS", "4");
    let program = Program::start(&[("REDIS_URL", &redis.url()), connections]);
    let port = program.port();
    let unknown = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| assert_eq!(http::profile_status(port, unknown), 404));
            }
        });
        redis.kill();
        redis.restart();
        assert_eq!(http::profile_status(port, unknown), 404);
    }
}

/// T30: without a crypto provider the first TLS connection panics. T31: a token with `/` breaks a URL.
#[test]
fn a_server_that_does_not_speak_tls_is_an_outage() {
    let redis = RedisServer::start();
    let tls = redis.url().replace("redis://", "rediss://");
    let rest = format!("https://{}", redis.address());
    for variables in [
        &[("REDIS_URL", tls.as_str())][..],
        &[
            ("UPSTASH_REDIS_REST_URL", rest.as_str()),
            ("UPSTASH_REDIS_REST_TOKEN", "a/b+c=@:#?"),
        ],
    ] {
        let program = Program::start(variables);
        let unknown = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
        assert_eq!(http::profile_status(program.port(), unknown), 503);
        let log = program.log();
        assert!(
            log.contains("session store") && !log.contains("panicked"),
            "{log}"
        );
    }
}

/// A request that is on its way to Redis while its session ends must not bring it back, nor fail.
#[test]
fn a_request_in_flight_while_its_session_ends_does_no_harm() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let slow = program_that_waits("20000", &proxy.url());
    let other = Program::start(&[("REDIS_URL", &redis.url())]);
    for path in [
        "GET /profile/",
        "GET /sessions/",
        "GET /session/",
        "GET /login/",
        "DELETE /sessions/others",
    ] {
        for step in 0..3 {
            let id = http::log_in(slow.port(), "abdullah");
            let cookie = format!("Cookie: session_id={id}");
            proxy.plan(step, &[Fault::Hold]);
            std::thread::scope(|scope| {
                let answer = scope.spawn(|| http::request(slow.port(), path, &[&cookie], ""));
                crate::support::eventually("the request to be held or over", || {
                    (proxy.is_holding() || answer.is_finished()).then_some(())
                });
                let ended = http::request(other.port(), "POST /logout/", &[&cookie], "");
                assert_eq!(http::status(&ended), 200);
                proxy.release();
                proxy.is_done();
                let answer = answer.join().unwrap();
                assert!(
                    [200, 303, 404].contains(&http::status(&answer)),
                    "{path} {step}: {answer}"
                );
                assert!(
                    !answer.contains(&format!("session_id={id}")),
                    "{path} {step}: {answer}"
                );
            });
            assert_eq!(
                http::profile_status(other.port(), &id),
                404,
                "{path} {step}"
            );
            let names: u64 = redis.run("ZCARD user_sessions:abdullah");
            assert_eq!(names, 0, "{path} {step}");
        }
    }
}

/// It refuses to be read and says to whoever writes that it is a replica.
#[test]
fn a_replica_that_has_lost_its_primary_is_one_outage() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    redis.run::<()>("CONFIG SET replica-serve-stale-data no");
    redis.run::<()>("REPLICAOF 127.0.0.1 1");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(http::profile_status(port, &id), 503);
    }
    let told = program.log().matches("Redis is unavailable").count();
    assert_eq!(told, 1, "{}", program.log());
    redis.run::<()>("REPLICAOF NO ONE");
    crate::support::eventually("the primary to be used", || {
        (http::profile_status(port, &id) == 200).then_some(())
    });
}
