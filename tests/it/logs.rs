//! The log: what stands in it, and what never does.

use std::fs::OpenOptions;
use std::process::Stdio;

use innkeeper::{SessionHandle, SessionId};
use serde_json::Value;

use crate::support::program::Program;
use crate::support::redis::{OPERATORS_RIGHTS, RedisServer};
use crate::support::scrape::Scrape;
use crate::support::{self, http};

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
        ("GET /session/", vec![cookie.as_str()], ""),
        ("GET /sessions/", vec![cookie.as_str()], ""),
        ("GET /profile/", vec!["X-Request-Id: hunter2-request"], ""),
        (
            "POST /logout/",
            vec![cookie.as_str(), "Origin: https://hunter2.example"],
            "",
        ),
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
                ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
            ];
            let program = Program::start(&variables);
            let secrets = provoke(&program);
            let metrics = Scrape::of(program.metrics_port()).text;
            let log = program.log();
            for event in ["signed in", "signed out", "refused"] {
                assert!(log.contains(event), "{event}: {log}");
            }
            for secret in secrets {
                assert!(!metrics.contains(&secret), "{secret} in {metrics}");
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
    let lines = events(&log);
    let called = |message| {
        lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap()
    };
    assert_eq!(called("signed in")["user"], "zo\u{eb} \"quoted\"");
    let request = called("request");
    assert_eq!(request["route"], "/login");
    assert_eq!(request["status"], 200);
    assert_eq!(request["ip"], "127.0.0.1");
    assert!(request["duration_us"].is_u64(), "{request}");
    assert_eq!(request["level"], "INFO");
}

/// Whatever is wrong, and whether or not anything is logged.
#[test]
fn why_it_does_not_start_is_told_in_json_too() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (name, value, word) in [
        ("INNKEEPER_IDLE_TIMEOUT_SECS", "soon", "`idle_timeout_secs`"),
        ("INNKEEPER_REDISURL", "x", "`redisurl`"),
        ("ROCKET_ADDRESS", "nowhere", "address"),
        ("ROCKET_PORT", port.as_str(), "cannot be bound"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("RUST_LOG", "off"), IN_JSON, IN_MEMORY, (name, value)];
        let said = Program::refusal_as_given(folder.path(), &variables);
        let lines = events(&said);
        assert_eq!(lines.len(), 1, "{said}");
        assert_eq!(lines[0]["message"], "innkeeper does not start");
        assert_eq!(lines[0]["level"], "ERROR");
        assert!(lines[0]["error"].as_str().unwrap().contains(word), "{said}");
    }
}

/// The lines of a log in JSON.
#[track_caller]
fn events(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The fields of all events with this message.
#[track_caller]
fn called(log: &str, message: &str) -> Vec<Value> {
    events(log)
        .into_iter()
        .filter(|event| event["message"] == message)
        .collect()
}

/// As the log names a session.
fn prefix(id: &str) -> String {
    SessionHandle::from(&SessionId::parse(id).unwrap()).to_string()[..8].to_owned()
}

const IN_JSON: (&str, &str) = ("INNKEEPER_LOG_FORMAT", "json");

#[test]
fn every_answer_has_an_id_of_its_own_and_one_line_with_it() {
    let mut redis = RedisServer::start();
    let url = redis.url();
    let finely = ("RUST_LOG", "info,innkeeper=debug");
    let program = Program::start(&[("REDIS_URL", url.as_str()), IN_JSON, finely]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    let cookie = format!("Cookie: session_id={id}");
    let mut seen = Vec::new();
    let mut ask = |head: &str, headers: &[&str], body: &str| {
        let answer = http::request(port, head, headers, body);
        let id = http::request_id(&answer);
        assert!(id.len() <= 24, "{id}");
        assert!(!seen.contains(&id), "{id}");
        let lines: Vec<_> = called(&program.log(), "request")
            .into_iter()
            .filter(|line| line["request_id"] == id.as_str())
            .collect();
        assert_eq!(lines.len(), 1, "{head}: {lines:?}");
        assert_eq!(lines[0]["status"], http::status(&answer), "{head}");
        seen.push(id);
        lines[0].clone()
    };
    let html = "Accept: text/html";
    let json = "Content-Type: application/json";
    for (head, headers, body) in [
        ("GET /login/", vec![], ""),
        ("GET /", vec![], ""),
        ("GET /profile/", vec![html], ""),
        ("GET /profile/", vec![], ""),
        ("GET /profile/", vec!["X-Request-Id: mine"], ""),
        ("GET /nowhere", vec![html], ""),
        ("PUT /login/", vec![], ""),
        ("POST /login/", vec![json], "{}"),
        ("POST /login/", vec!["Content-Type: text/plain"], "x"),
        ("POST /logout/", vec!["Sec-Fetch-Site: cross-site"], ""),
        ("GET /static/innkeeper/style.css", vec![], ""),
        ("GET /healthz", vec![], ""),
        ("HEAD /login/", vec![], ""),
        ("NOSUCH /login/", vec![], ""),
    ] {
        let line = ask(head, &headers, body);
        assert_eq!(
            (&line["user"], &line["error"]),
            (&Value::Null, &Value::Null)
        );
        let method = head.split(' ').next().unwrap().replace("NOSUCH", "unknown");
        assert_eq!(line["method"], method, "{head}");
        assert_eq!(line["ip"], "127.0.0.1", "{head}");
    }
    for path in [
        "/profile/",
        "/session/",
        "/sessions/",
        "/login/",
        "/logout/",
        "/",
    ] {
        let line = ask(&format!("GET {path}"), &[&cookie], "");
        assert_eq!(line["user"], "abdullah", "{path}");
        assert_eq!(line["session"], prefix(&id), "{path}");
        assert_eq!(
            line["route"],
            path.trim_end_matches(|c| c == '/' && path != "/")
        );
    }
    redis.kill();
    for path in ["/profile/", "/session/", "/readyz"] {
        let line = ask(&format!("GET {path}"), &[&cookie], "");
        assert_eq!(line["status"], 503);
        let error = line["error"].as_str().unwrap();
        assert!(error.contains("session store"), "{error}");
    }
}

/// What a sign-in, a sign-out and an end of sessions leave in the log.
fn audit(store: (&str, &str)) {
    let most = ("INNKEEPER_MAX_SESSIONS_PER_USER", "3");
    let program = Program::start(&[store, IN_JSON, most]);
    let port = program.port();
    let ask = |head: &str, id: &str| {
        let cookie = format!("Cookie: session_id={id}");
        http::request_id(&http::request(port, head, &[&cookie], ""))
    };
    let first = http::log_in(port, "zo\u{eb}");
    let json = "Content-Type: application/json";
    let cookie = format!("Cookie: session_id={first}");
    let body = r#"{"username":"yan"}"#;
    let answer = http::request(port, "POST /login/", &[json, &cookie], body);
    let yan = answer.split("session_id=").nth(1).unwrap()[..36].to_owned();
    let replacing = http::request_id(&answer);
    let out = ask("POST /logout/", &yan);
    ask("POST /logout/", &yan);
    let ids: Vec<_> = (0..4).map(|_| http::log_in(port, "abdullah")).collect();
    let handle = SessionHandle::from(&SessionId::parse(&ids[1]).unwrap());
    ask(&format!("DELETE /sessions/{handle}"), &ids[3]);
    ask("DELETE /sessions/others", &ids[3]);
    ask("DELETE /sessions/others", &ids[3]);
    ask("DELETE /sessions", &ids[3]);

    let log = program.log();
    let signed_in = called(&log, "signed in");
    assert_eq!(signed_in.len(), 6, "{log}");
    assert_eq!(signed_in[0]["user"], "zo\u{eb}");
    assert_eq!(signed_in[0]["session"], prefix(&first));
    assert_eq!(signed_in[0]["ip"], "127.0.0.1");
    assert_eq!(signed_in[1]["request_id"], replacing.as_str());

    let signed_out = called(&log, "signed out");
    assert_eq!(signed_out.len(), 1, "{log}");
    assert_eq!(signed_out[0]["user"], "yan");
    assert_eq!(signed_out[0]["session"], prefix(&yan));
    assert_eq!(signed_out[0]["request_id"], out.as_str());
    assert_eq!(signed_out[0]["ip"], "127.0.0.1");

    let ended: Vec<_> = called(&log, "session ended")
        .into_iter()
        .map(|fields| {
            assert_eq!(fields["ip"], "127.0.0.1");
            let text = |name: &str| fields[name].as_str().unwrap().to_owned();
            (
                text("user"),
                text("session"),
                text("by"),
                text("selection"),
                text("reason"),
            )
        })
        .collect();
    let row = |user: &str, session: &str, by: &str, selection: &str, reason: &str| {
        (
            user.to_owned(),
            prefix(session),
            prefix(by),
            selection.to_owned(),
            reason.to_owned(),
        )
    };
    assert_eq!(
        ended,
        [
            row("zo\u{eb}", &first, &yan, "one", "signed_in_again"),
            row("abdullah", &ids[0], &ids[3], "oldest", "too_many"),
            row("abdullah", &ids[1], &ids[3], "one", "ended"),
            row("abdullah", &ids[2], &ids[3], "others", "ended"),
            row("abdullah", &ids[3], &ids[3], "all", "ended"),
        ],
        "{log}"
    );
}

#[test]
fn who_came_and_went_is_told_once_with_the_embedded_store() {
    audit(("INNKEEPER_STORE_PATH", ":memory:"));
}

#[test]
fn who_came_and_went_is_told_once_with_redis() {
    let redis = RedisServer::start();
    audit(("REDIS_URL", &redis.url()));
}

#[test]
fn a_refused_request_is_told_once() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:"), IN_JSON]);
    let evil = "Origin: https://evil.example";
    let twice = "Cookie: session_id=x; session_id=y";
    for (head, header, reason) in [
        ("POST /logout/", evil, "cross_site"),
        ("DELETE /sessions", evil, "cross_site"),
        ("GET /profile/", twice, "ambiguous_cookie"),
    ] {
        let id = http::request_id(&http::request(program.port(), head, &[header], ""));
        let refused = called(&program.log(), "refused");
        let last = refused.last().unwrap();
        assert_eq!(last["request_id"], id.as_str());
        assert_eq!(last["reason"], reason);
        assert_eq!(last["ip"], "127.0.0.1");
    }
    assert_eq!(called(&program.log(), "refused").len(), 3);
}

#[test]
fn an_outage_adds_no_line_beside_those_of_its_requests() {
    let redis = RedisServer::start();
    let wait = ("INNKEEPER_REDIS_TIMEOUT_MS", "200");
    let program = Program::start(&[("REDIS_URL", &redis.url()), wait, IN_JSON]);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    let before = program.log().lines().count();
    redis.signal("STOP");
    let cookie = format!("Cookie: session_id={id}");
    for path in ["/profile/", "/readyz"].iter().cycle().take(200) {
        let answer = http::request(port, &format!("GET {path}"), &[&cookie], "");
        assert_eq!(http::status(&answer), 503);
    }
    redis.signal("CONT");
    support::eventually("the outage to be over", || {
        program
            .log()
            .contains("Redis is available again")
            .then_some(())
    });
    let log = program.log();
    let new: Vec<_> = events(&log).split_off(before);
    assert_eq!(new.len(), 202, "{log}");
    let requests: Vec<_> = new
        .iter()
        .filter(|event| event["message"] == "request")
        .collect();
    assert_eq!(requests.len(), 200);
    for request in requests {
        assert_eq!(request["level"], "WARN");
        assert!(request["error"].is_string(), "{request}");
    }
    assert_eq!(log.matches("Redis is unavailable").count(), 1);
    assert_eq!(log.matches("Redis is available again").count(), 1);
}

const IN_MEMORY: (&str, &str) = ("INNKEEPER_STORE_PATH", ":memory:");

/// Asks so often on one connection, without waiting for the answers, and says how often it was answered.
fn ask_often(port: u16, cookie: &str, times: usize) -> usize {
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{cookie}\r\n");
    let last = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let answers = http::exchange(port, (request.repeat(times - 1) + &last).as_bytes());
    answers.matches("HTTP/1.1 303").count()
}

/// With a log that cannot be written, the program serves as if there were none, counts what is lost, and ends well.
fn assert_unharmed(mut program: Program, metrics: u16, times: usize) {
    let port = program.port();
    // Long, so that there are soon more lines than are kept.
    let name = "\u{20000}".repeat(64);
    for _ in 0..5 {
        let id = http::log_in(port, &name);
        assert_eq!(http::profile_status(port, &id), 200);
        let cookie = format!("Cookie: session_id={id}\r\n");
        assert_eq!(ask_often(port, &cookie, times), times);
        let healthy = http::request(port, "GET /healthz", &[], "");
        assert_eq!(http::status(&healthy), 200);
    }
    support::eventually("lost lines to be counted", || {
        let lost = Scrape::of(metrics).value("innkeeper_log_lines_dropped_total");
        (lost > 0.5).then_some(())
    });
    let status = program.terminate();
    assert!(status.success(), "{status}");
}

#[test]
fn a_log_whose_reader_is_gone_takes_nobody_along() {
    let (program, reader, metrics) = Program::start_with_stderr(&[IN_MEMORY], Stdio::piped);
    drop(reader.unwrap());
    assert_unharmed(program, metrics, 100);
}

#[test]
fn a_log_whose_reader_is_stuck_keeps_nobody_waiting() {
    let (program, reader, metrics) = Program::start_with_stderr(&[IN_MEMORY], Stdio::piped);
    assert_unharmed(program, metrics, 2500);
    drop(reader);
}

#[test]
fn a_log_on_a_full_disk_is_lost_and_nothing_else() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let (program, _, metrics) = Program::start_with_stderr(&[IN_MEMORY], full);
    assert_unharmed(program, metrics, 100);
}

#[test]
fn a_line_that_was_cut_short_spoils_no_other() {
    let counted = ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0");
    let program = Program::start(&[IN_MEMORY, IN_JSON, counted]);
    let metrics = program.metrics_port();
    // Room for a line and a half.
    let room = program.raw_log().len() + 350;
    program.limit_files_to(&room.to_string());
    assert_eq!(ask_often(program.port(), "", 100), 100);
    support::eventually("lost lines to be counted", || {
        let lost = Scrape::of(metrics).value("innkeeper_log_lines_dropped_total");
        (lost > 90.0).then_some(())
    });
    program.limit_files_to("unlimited");
    assert_eq!(ask_often(program.port(), "", 100), 100);
    let log = program.log();
    let is_broken = |line: &&str| serde_json::from_str::<Value>(line).is_err();
    // None, if by chance the room ended with a line.
    assert!(log.lines().filter(is_broken).count() <= 1, "{log}");
    assert!(log.lines().count() > 100, "{log}");
}

#[test]
fn the_last_lines_are_written_before_the_end() {
    let mut program = Program::start(&[IN_MEMORY]);
    assert_eq!(ask_often(program.port(), "", 2000), 2000);
    let status = program.terminate();
    assert!(status.success(), "{status}");
    let log = program.log();
    assert_eq!(log.matches("route=\"/\"").count(), 2000);
    assert!(log.ends_with('\n'), "{log}");
}

/// Which no other process can put into this one's log.
#[test]
fn what_an_operator_ended_is_told_when_its_id_is_presented() {
    let redis = RedisServer::start();
    redis.allow(OPERATORS_RIGHTS);
    let url = ("REDIS_URL", redis.url());
    let url = (url.0, url.1.as_str());
    let counted = ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0");
    let program = Program::start(&[url, IN_JSON, counted]);
    let port = program.port();
    let ids: Vec<_> = (0..3).map(|_| http::log_in(port, "abdullah")).collect();
    let folder = tempfile::tempdir().unwrap();
    let handle = SessionHandle::from(&SessionId::parse(&ids[0]).unwrap()).to_string();
    for words in [[handle.as_str()].as_slice(), &["--user", "abdullah"]] {
        let words: Vec<_> = ["sessions", "end"].iter().chain(words).copied().collect();
        let said = Program::operate(folder.path(), &words, &[url]);
        assert_eq!(said.status, 0, "{said:?}");
    }
    let before = Scrape::of(program.metrics_port());
    for (id, path) in ids.iter().zip(["/profile/", "/session/", "/login/"]) {
        let cookie = format!("Cookie: session_id={id}");
        let answer = http::request(port, &format!("GET {path}"), &[&cookie], "");
        if path == "/profile/" {
            assert!(
                answer.ends_with(r#"{"detail":"Session expired"}"#),
                "{answer}"
            );
        } else {
            assert!(answer.contains("An administrator ended"), "{answer}");
        }
        let log = program.log();
        let told = called(&log, "ended session presented");
        let told = told.last().unwrap();
        let request = called(&log, "request");
        for line in [told, request.last().unwrap()] {
            assert_eq!(line["request_id"], http::request_id(&answer));
            assert_eq!(line["user"], "abdullah");
            assert_eq!(line["session"], prefix(id));
            assert_eq!(line["ip"], "127.0.0.1");
        }
        assert_eq!(told["reason"], "by_operator");
        assert!(told["ended_at"].as_str().unwrap().ends_with('Z'), "{told}");
    }
    assert_eq!(called(&program.log(), "ended session presented").len(), 3);
    // One look-up a request.
    let looked = r#"innkeeper_store_operation_duration_seconds_count{operation="ended"}"#;
    let looked = Scrape::of(program.metrics_port()).moved(&before, looked);
    assert!((looked - 3.0).abs() < 0.5, "{looked}");
}

/// Supervisors and load balancers ask every few seconds.
#[test]
fn a_probe_that_goes_well_is_no_news() {
    let mut redis = RedisServer::start();
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", url.as_str()), IN_JSON]);
    let probes = || {
        for path in ["/healthz", "/readyz", "/readyz/"] {
            http::request(program.port(), &format!("GET {path}"), &[], "");
        }
        let lines = called(&program.log(), "request");
        let routes = lines.iter().map(|line| line["route"].to_string());
        routes.filter(|route| route.contains("z\"")).count()
    };
    assert_eq!(probes(), 0);
    redis.kill();
    assert_eq!(probes(), 2, "{}", program.log());
}

/// `script` gives it a terminal; the launch fails, so that it ends by itself.
#[test]
fn the_log_is_coloured_on_a_terminal_unless_nobody_wants_it() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let shown = |no_color: &str| {
        let folder = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("script")
            .args(["-qec", env!("CARGO_BIN_EXE_innkeeper"), "/dev/null"])
            .current_dir(&folder)
            .env("NO_COLOR", no_color)
            .env("RUST_LOG", "=[")
            .env("ROCKET_PORT", &port)
            .env("INNKEEPER_STORE_PATH", ":memory:")
            .stdin(Stdio::null())
            .output()
            .expect("script cannot be started; it is part of bsdutils");
        String::from_utf8(output.stdout).unwrap()
    };
    let coloured = shown("");
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    let plain = shown("1");
    assert!(plain.contains("RUST_LOG cannot be read"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
}
