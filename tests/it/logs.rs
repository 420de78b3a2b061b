//! The log: what stands in it, and what never does.

use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;

const USED: &str = "user-agent-of-the-test";

/// Does all that could put a secret into a log, and returns the secrets.
fn provoke(program: &Program) -> Vec<String> {
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    let cookie = format!("Cookie: session_id={id}");
    let json = "Content-Type: application/json";
    let twice = format!("Cookie: session_id={id}; session_id=hunter2-cookie");
    for (head, headers, body) in [
        ("GET /profile/", vec![cookie.as_str()], ""),
        ("GET /profile/", vec![twice.as_str()], ""),
        (
            "POST /login/",
            vec![json],
            r#"{"username":7,"password":"hunter2-body"}"#,
        ),
        ("POST /login/", vec![json], r#"{"password":"hunter2-body""#),
        (
            "POST /login/",
            vec!["Content-Type: text/plain"],
            "hunter2-body",
        ),
        (
            "GET /login/?token=hunter2-query",
            vec!["Authorization: Bearer hunter2-header"],
            "",
        ),
        ("POST /logout/", vec![cookie.as_str()], ""),
    ] {
        http::request(port, head, &headers, body);
    }
    http::request(port, &format!("GET /{id}"), &[], "");
    http::request(port, &format!("GET /profile/{id}?session_id={id}"), &[], "");
    vec![id, "hunter2".to_owned(), USED.to_owned()]
}

#[test]
fn no_secret_reaches_the_log_at_any_level() {
    let mut redis = RedisServer::start();
    redis.run::<()>("CONFIG SET requirepass hunter2-redis");
    let url = redis.url_of(":hunter2-redis");
    for level in ["info", "trace"] {
        for format in ["text", "json"] {
            let variables = [
                ("REDIS_URL", url.as_str()),
                ("RUST_LOG", level),
                ("ROCKET_LOG_LEVEL", "debug"),
                ("INNKEEPER_LOG_FORMAT", format),
            ];
            let program = Program::start(&variables);
            let secrets = provoke(&program);
            let log = program.log();
            assert!(log.contains("signed in"), "{log}");
            for secret in secrets {
                assert!(
                    !log.contains(&secret),
                    "{level} {format}: {secret} in {log}"
                );
            }
        }
    }
    // An address that is refused, and a password that is wrong.
    let wrong = redis.url_of(":hunter2-wrong");
    let program = Program::start(&[("REDIS_URL", &wrong), ("RUST_LOG", "trace")]);
    assert_eq!(
        http::profile_status(program.port(), "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a"),
        503
    );
    redis.kill();
    assert_eq!(
        http::profile_status(program.port(), "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a"),
        503
    );
    let log = program.log();
    assert!(log.contains("session store"), "{log}");
    assert!(
        !log.contains("hunter2") && !log.contains("5f3d9b3e"),
        "{log}"
    );
}

#[test]
fn a_request_is_one_line_whatever_its_visitor_writes() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let port = program.port();
    let before = program.log().lines().count();
    http::request(
        port,
        "GET /%0aINFO%20forged%1b[31m",
        &["User-Agent: a\tb\u{85}c"],
        "",
    );
    http::request(port, "GET /login/?next=%0d%0aforged", &[], "");
    let log = program.log();
    assert_eq!(log.lines().count(), before + 2, "{log}");
    assert!(!log.contains("forged"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn a_log_in_json_has_one_object_a_line() {
    let variables = [
        ("INNKEEPER_STORE_PATH", ":memory:"),
        ("INNKEEPER_LOG_FORMAT", "json"),
    ];
    let program = Program::start(&variables);
    http::log_in(program.port(), "zo\u{eb} \"quoted\"");
    let log = program.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let signed_in = lines
        .iter()
        .find(|line| line["fields"]["message"] == "signed in")
        .unwrap();
    assert_eq!(signed_in["fields"]["user"], "zo\u{eb} \"quoted\"");
    let request = lines
        .iter()
        .find(|line| line["fields"]["message"] == "request")
        .unwrap();
    assert_eq!(request["fields"]["route"], "/login");
    assert_eq!(request["fields"]["status"], 200);
}
