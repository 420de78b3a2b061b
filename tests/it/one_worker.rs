//! With one worker a single thread serves all requests: nothing may hold it up.

use std::thread;
use std::time::Duration;

use crate::support::http;
use crate::support::program::Program;
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

const ONE: (&str, &str) = ("ROCKET_WORKERS", "1");

#[test]
fn a_request_that_waits_for_redis_holds_up_no_other() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let program = Program::start(&[
        ("REDIS_URL", &proxy.url()),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "20000"),
        ONE,
    ]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    proxy.delay(Duration::from_secs(4));
    let slow = thread::spawn(move || http::profile_status(port, &id));
    thread::sleep(Duration::from_millis(200));
    for _ in 0..3 {
        let answer = http::request(port, "GET /healthz", &[], "");
        assert_eq!(http::status(&answer), 200, "{answer}");
    }
    assert!(!slow.is_finished(), "the slow one was not slow");
    assert_eq!(slow.join().unwrap(), 200);
}

#[test]
fn it_ends_on_sigterm_with_its_requests_served() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let mut program = Program::start(&[
        ("REDIS_URL", &proxy.url()),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "5000"),
        ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
        ONE,
    ]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    proxy.delay(Duration::from_secs(2));
    let slow = thread::spawn(move || http::profile_status(port, &id));
    thread::sleep(Duration::from_millis(200));
    program.ask_to_end();
    assert_eq!(slow.join().unwrap(), 200);
    assert!(program.wait().success());
}
