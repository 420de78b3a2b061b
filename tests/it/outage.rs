//! The store is down: 503, the cookie untouched, nobody taken for signed out.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;

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
        for answer in [
            http::request(port, "GET /profile/", &[accept, &cookie], ""),
            http::request(port, "POST /logout/", &[accept, &cookie], ""),
            http::request(port, "POST /login/", &[accept, json], &body),
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
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

#[test]
fn a_silent_redis_costs_no_request_more_than_its_time() {
    let redis = RedisServer::start();
    let variables = [
        ("REDIS_URL", redis.url()),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "300".to_owned()),
    ];
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let program = Program::start(&variables);
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

    redis.signal("CONT");
    assert_eq!(http::profile_status(port, &id), 200);
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
    let address = primary.url().replace("redis://", "").replace(':', " ");
    redis.run::<()>(&format!("REPLICAOF {address}"));
    assert_everything_is_unavailable(port, &id);
}

/// A record that is not ours to read is an error of the store, not a missing session.
#[test]
fn a_key_of_another_type_is_an_outage_for_that_session_only() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let port = program.port();
    let odd = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    redis.run::<()>(&format!("SET session:{odd} x"));
    assert_eq!(http::profile_status(port, odd), 503);
    let id = http::log_in(port, "abdullah");
    assert_eq!(http::profile_status(port, &id), 200);
}
