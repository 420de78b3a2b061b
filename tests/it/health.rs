//! Is the process alive, and can it serve?

use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;
use crate::support::{Backend, TestApp};

on_every_store!(a_healthy_inn_says_so_to_anybody);

async fn a_healthy_inn_says_so_to_anybody(on: Backend) {
    let app = TestApp::open(on).await;
    for (path, status) in [("/healthz", "alive"), ("/readyz", "ready")] {
        let answer = app.program().get(path).await;
        answer.assert_json(200, &serde_json::json!({ "status": status }));
        answer.assert_leaves_cookie();
    }
}

#[test]
fn without_its_redis_the_process_lives_and_is_not_ready() {
    let mut redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    redis.kill();
    let ask = |path: &str| http::request(program.port(), &format!("GET {path}"), &[], "");
    assert_eq!(http::status(&ask("/healthz")), 200);
    let answer = ask("/readyz");
    assert_eq!(http::status(&answer), 503);
    assert!(
        answer.contains("the session store does not answer"),
        "{answer}"
    );
    assert!(!answer.contains("127.0.0.1"), "{answer}");
    redis.restart();
    crate::support::eventually("readiness", || {
        (http::status(&ask("/readyz")) == 200).then_some(())
    });
}
