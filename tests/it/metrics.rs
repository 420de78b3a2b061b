//! The metrics: what is counted, and where it is read.

use std::convert::identity;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use innkeeper::CurrentSession;
use rocket::error::ErrorKind;
use rocket::http::{ContentType, Status};
use rocket::local::blocking::Client;
use rocket::{Build, Rocket};
use serde_json::json;

use crate::support::program::Program;
use crate::support::redis::RedisServer;
use crate::support::scrape::Scrape;
use crate::support::{configured, eventually, free_port, http};

const ON_A_FREE_PORT: (&str, &str) = ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0");
const JSON: &str = "Content-Type: application/json";

/// Does all that is counted. No session of `a` is left, and three of `b`.
fn do_everything(port: u16) -> Vec<String> {
    let ask = |head: &str, headers: &[&str]| http::request(port, head, headers, "");
    let cookie = |id: &str| format!("Cookie: session_id={id}");
    let first = http::log_in(port, "a");
    let second = http::log_in(port, "a");
    let body = r#"{"username":"a"}"#;
    let again = http::request(port, "POST /login/", &[JSON, &cookie(&second)], body);
    let third = again.split("session_id=").nth(1).unwrap()[..36].to_owned();
    ask("DELETE /sessions/others", &[&cookie(&third)]);
    ask("GET /profile/", &[&cookie(&third)]);
    ask("POST /logout/", &[&cookie(&third)]);
    // Over already: these end nothing.
    ask("POST /logout/", &[&cookie(&third)]);
    ask("POST /logout/", &[]);
    ask("GET /profile/", &[&cookie(&third)]);
    for _ in 0..5 {
        http::log_in(port, "b");
    }
    ask("GET /profile/", &[]);
    ask("GET /profile/", &["Cookie: session_id=x; session_id=y"]);
    ask("POST /logout/", &["Origin: https://evil.example"]);
    http::request(port, "POST /login/", &[JSON], "{}");
    ask("HEAD /login/", &[]);
    ask("NOSUCH /login/", &[]);
    ask("GET /nowhere/hunter2?token=hunter2", &[]);
    ask(&format!("GET /sessions/{third}/no"), &[]);
    vec![first, second, third, "hunter2".to_owned()]
}

#[test]
fn sessions_that_end_with_a_new_password_are_logged_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ON_A_FREE_PORT,
        ("INNKEEPER_SIGN_IN", "password"),
        ("INNKEEPER_SIGN_UP", "true"),
    ];
    let program = Program::start_in(folder.path(), &settings);
    let post = |path: &str, headers: &[&str], body: &serde_json::Value| {
        let headers = [&[JSON], headers].concat();
        let head = format!("POST {path}");
        let answer = http::request(program.port(), &head, &headers, &body.to_string());
        assert_eq!(http::status(&answer), 200, "{answer}");
        answer
    };
    let [old, new, last] = ["beside a lamp", "under a bridge", "behind a wall"]
        .map(|place| format!("four grey words {place}"));
    let pair = json!({ "username": "amy", "password": old });
    let account = post("/sign-up/", &[], &pair);
    let (_, id) = account.split_once("session_id=").unwrap();
    let cookie = format!("Cookie: session_id={}", &id[..36]);
    post("/login/", &[], &pair);
    post(
        "/password/",
        &[&cookie],
        &json!({ "current": old, "new": new }),
    );
    let counted = || {
        let name = r#"innkeeper_sessions_ended_total{reason="password_changed"}"#;
        Scrape::of(program.metrics_port()).value(name)
    };
    let logged = || program.log().matches("session ended").count();
    assert_eq!((counted(), logged()), (2.0, 2));

    // By a link, which is no session's.
    let elsewhere = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = [
        ("INNKEEPER_STORE_PATH", data.to_str().unwrap()),
        settings[1],
    ];
    let reset = Program::operate(elsewhere.path(), &["accounts", "reset", "amy"], &store);
    let (_, token) = reset.out.trim().rsplit_once("/invitation/").unwrap();
    let token = token.get(..64).unwrap();
    let path = format!("/invitation/{token}");
    post(&path, &[], &json!({ "password": last }));
    assert_eq!((counted(), logged()), (3.0, 3));
}

fn every_counter_moves_by_what_was_done(store: (&str, &str), live: std::ops::RangeInclusive<f64>) {
    let most = ("INNKEEPER_MAX_SESSIONS_PER_USER", "3");
    let program = Program::start(&[store, ON_A_FREE_PORT, most]);
    let before = Scrape::of(program.metrics_port());
    let secrets = do_everything(program.port());
    let after = Scrape::of(program.metrics_port());
    for (name, number) in [
        ("innkeeper_sign_ins_total", 8.0),
        ("innkeeper_sign_outs_total", 1.0),
        (
            r#"innkeeper_sessions_ended_total{reason="signed_out"}"#,
            1.0,
        ),
        (
            r#"innkeeper_sessions_ended_total{reason="signed_in_again"}"#,
            1.0,
        ),
        (r#"innkeeper_sessions_ended_total{reason="ended"}"#, 1.0),
        (r#"innkeeper_sessions_ended_total{reason="too_many"}"#, 2.0),
        (r#"innkeeper_refusals_total{reason="cross_site"}"#, 1.0),
        (
            r#"innkeeper_refusals_total{reason="ambiguous_cookie"}"#,
            1.0,
        ),
        (r#"innkeeper_refusals_total{reason="no_session"}"#, 1.0),
        (r#"innkeeper_refusals_total{reason="session_ended"}"#, 1.0),
        (r#"innkeeper_refusals_total{reason="invalid"}"#, 1.0),
        (r#"innkeeper_refusals_total{reason="store_down"}"#, 0.0),
        (r#"innkeeper_refusals_total{reason="too_large"}"#, 0.0),
        (
            r#"innkeeper_http_requests_total{route="/login",method="POST",status="200"}"#,
            8.0,
        ),
        (
            r#"innkeeper_http_requests_total{route="/login",method="POST",status="422"}"#,
            1.0,
        ),
        (
            r#"innkeeper_http_requests_total{route="/profile",method="GET",status="404"}"#,
            1.0,
        ),
        (
            r#"innkeeper_http_requests_total{route="/login",method="HEAD",status="200"}"#,
            1.0,
        ),
        (
            r#"innkeeper_http_requests_total{route="-",method="unknown",status="405"}"#,
            1.0,
        ),
        (
            r#"innkeeper_http_requests_total{route="-",method="GET",status="404"}"#,
            2.0,
        ),
        (
            r#"innkeeper_http_request_duration_seconds_count{route="/login",method="POST"}"#,
            9.0,
        ),
        (
            r#"innkeeper_store_operation_duration_seconds_count{operation="create"}"#,
            8.0,
        ),
        (
            r#"innkeeper_store_operation_duration_seconds_count{operation="delete"}"#,
            2.0,
        ),
        (r#"innkeeper_store_errors_total{kind="failed"}"#, 0.0),
        (r#"innkeeper_store_errors_total{kind="timeout"}"#, 0.0),
        (r#"innkeeper_store_errors_total{kind="unreachable"}"#, 0.0),
        (r#"innkeeper_store_errors_total{kind="unreadable"}"#, 0.0),
    ] {
        #[expect(clippy::float_cmp, reason = "they are whole numbers")]
        let exact = after.moved(&before, name) == number;
        assert!(exact, "{name} should move by {number}: {}", after.text);
        if name.contains("reason=") || name.contains("kind=") {
            assert!(before.find(name).is_some(), "{name} did not begin at 0");
        }
    }
    let found = after.value("innkeeper_sessions_active");
    assert!(live.contains(&found), "{found}");
    assert!(after.value("innkeeper_store_operations_in_progress") < 0.5);
    let version = concat!(
        "innkeeper_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\"}"
    );
    assert!(after.value(version) > 0.5);
    assert!(after.value("process_resident_memory_bytes") > 0.0);
    for secret in secrets {
        assert!(!after.text.contains(&secret), "{secret} in {}", after.text);
    }
    let on_redis = store.0 == "REDIS_URL";
    let of_redis_alone = ["circuit_open", "connections", "connections_max"];
    for name in of_redis_alone.map(|name| format!("innkeeper_store_{name}")) {
        assert_eq!(after.find(&name).is_some(), on_redis, "{name}");
    }
}

#[test]
fn every_counter_moves_by_what_was_done_in_the_embedded_store() {
    every_counter_moves_by_what_was_done(("INNKEEPER_STORE_PATH", ":memory:"), 3.0..=3.0);
}

#[test]
fn every_counter_moves_by_what_was_done_in_redis() {
    let redis = RedisServer::start();
    // An estimate: a third of nine keys.
    every_counter_moves_by_what_was_done(("REDIS_URL", &redis.url()), 2.0..=4.0);
}

/// Redis counts keys, and not sessions: each instance estimates them from keys drawn at random.
#[test]
fn two_instances_agree_about_the_live_sessions_within_the_error_that_they_tell() {
    let redis = RedisServer::start();
    let sessions = "EVAL for\ti=1,3000\tdo\
        \tredis.call('SET',string.format('session:%08x-0000-4000-8000-000000000000',i),1)\tend 0";
    redis.run::<()>(sessions);
    redis.run::<()>("EVAL for\ti=1,2000\tdo\tredis.call('SET','other:'..i,1)\tend 0");
    let url = redis.url();
    let [one, other] = [(), ()].map(|()| Program::start(&[("REDIS_URL", &url), ON_A_FREE_PORT]));
    let told = [&one, &other].map(|program| {
        let scrape = Scrape::of(program.metrics_port());
        assert!(
            scrape.text.contains("On Redis an estimate"),
            "{}",
            scrape.text
        );
        let live = scrape.value("innkeeper_sessions_active");
        let error = scrape.value("innkeeper_sessions_active_error");
        assert!((100.0..500.0).contains(&error), "{error}");
        (live, error)
    });
    let [(live, error), (other_live, other_error)] = told;
    // Half as much again: a test must not fail once in 200 runs.
    assert!((live - 3000.0).abs() <= 1.5 * error, "{told:?}");
    assert!((live - other_live).abs() <= error + other_error, "{told:?}");
}

#[test]
fn an_outage_is_seen_and_its_end() {
    let redis = RedisServer::start();
    let wait = ("INNKEEPER_REDIS_TIMEOUT_MS", "300");
    let program = Program::start(&[("REDIS_URL", &redis.url()), wait, ON_A_FREE_PORT]);
    let port = program.port();
    let odd = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    redis.run::<()>(&format!("SET session:{odd} x"));
    assert_eq!(http::profile_status(port, odd), 503);
    let id = http::log_in(port, "abdullah");
    let well = Scrape::of(program.metrics_port());
    assert!(well.value("innkeeper_store_circuit_open") < 0.5);
    assert!(well.value(r#"innkeeper_store_errors_total{kind="failed"}"#) > 0.5);
    let open = well.value("innkeeper_store_connections");
    assert!(open >= 1.0 && open <= well.value("innkeeper_store_connections_max"));

    redis.signal("STOP");
    for _ in 0..10 {
        assert_eq!(http::profile_status(port, &id), 503);
    }
    let begun = Instant::now();
    let ill = Scrape::of(program.metrics_port());
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(ill.value("innkeeper_store_circuit_open") > 0.5);
    assert_eq!(ill.find("innkeeper_sessions_active"), None);
    assert!(ill.value("innkeeper_store_operations_in_progress") < 0.5);
    let failed = |kind: &str| {
        ill.moved(
            &well,
            &format!("innkeeper_store_errors_total{{kind=\"{kind}\"}}"),
        )
    };
    assert!(failed("timeout") > 0.5 && failed("unreachable") > 0.5);
    let sum = failed("timeout") + failed("unreachable");
    assert!((sum - 10.0).abs() < 0.5, "{sum}");
    let refused = ill.moved(&well, r#"innkeeper_refusals_total{reason="store_down"}"#);
    assert!((refused - 10.0).abs() < 0.5, "{refused}");

    redis.signal("CONT");
    eventually("the end of the outage", || {
        let again = Scrape::of(program.metrics_port());
        let closed = again.value("innkeeper_store_circuit_open") < 0.5;
        (closed && again.find("innkeeper_sessions_active").is_some()).then_some(())
    });
}

#[test]
fn the_process_is_measured_as_the_system_sees_it() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let before = now().as_secs_f64();
    let program = Program::start(&[ON_A_FREE_PORT]);
    let system = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", program.id())).unwrap();
    let line = |file: &str, name: &str| -> f64 {
        let text = system(file);
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.unwrap().split_ascii_whitespace().next().unwrap();
        number.parse().unwrap()
    };
    // Threads come and go.
    let scrape = eventually("threads to be still", || {
        let scrape = Scrape::of(program.metrics_port());
        let same = (scrape.value("process_threads") - line("status", "Threads:")).abs() < 0.5;
        same.then_some(scrape)
    });
    let limit = line("limits", "Max open files");
    assert!((scrape.value("process_max_fds") - limit).abs() < 0.5);
    let open = scrape.value("process_open_fds");
    assert!(open > 3.0 && open < limit, "{open}");
    let resident = scrape.value("process_resident_memory_bytes");
    let factor = resident / (line("status", "VmRSS:") * 1024.0);
    assert!(factor > 0.5 && factor < 2.0, "{factor}");
    assert!(scrape.value("process_virtual_memory_bytes") > resident);
    // The system tells both in whole seconds.
    let started = scrape.value("process_start_time_seconds");
    assert!(started > before - 2.0 && started < now().as_secs_f64() + 2.0);
    let used = |scrape: &Scrape| scrape.value("process_cpu_seconds_total");
    eventually("the time of its processor to move", || {
        http::request(program.port(), "GET /docs", &["Accept: text/html"], "");
        (used(&Scrape::of(program.metrics_port())) > used(&scrape)).then_some(())
    });
}

#[test]
fn visitors_do_not_reach_the_metrics() {
    let store = ("INNKEEPER_STORE_PATH", ":memory:");
    let without = Program::start(&[store]);
    let with = Program::start(&[store, ON_A_FREE_PORT]);
    for program in [&without, &with] {
        let answer = http::request(program.port(), "GET /metrics", &[], "");
        assert_eq!(http::status(&answer), 404);
    }
    assert!(!without.log().contains("metrics"), "{}", without.log());
}

#[test]
fn the_listener_of_the_metrics_serves_health_and_nothing_else() {
    let store = ("INNKEEPER_STORE_PATH", ":memory:");
    let mut program = Program::start(&[store, ON_A_FREE_PORT]);
    let port = program.metrics_port();
    let lines = program.log().lines().count();
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/profile/", 404),
        ("/login/", 404),
    ] {
        let answer = http::request(port, &format!("GET {path}"), &["Accept: text/html"], "");
        assert_eq!(http::status(&answer), status, "{answer}");
        let head = answer.to_lowercase();
        assert!(head.contains("\r\nx-frame-options: deny"), "{answer}");
        assert!(!head.contains("\r\nserver:"), "{answer}");
    }
    // A form's field does not choose the method here either.
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    for body in [
        "_method=get",
        "&_method=get",
        "_method[]=get",
        "_method=head",
    ] {
        let answer = http::request(port, "POST /metrics", &form, body);
        assert_eq!(http::status(&answer), 405, "{body}: {answer}");
    }
    Scrape::of(port);
    assert_eq!(program.log().lines().count(), lines, "{}", program.log());

    let _kept_open = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let begun = Instant::now();
    assert!(program.terminate().success());
    assert!(begun.elapsed() < Duration::from_secs(6));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_port_that_cannot_be_had_stops_the_launch() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let variable = ("INNKEEPER_METRICS_ADDRESS", address.as_str());
    let said = Program::refusal(folder.path(), &[variable]);
    for word in ["`metrics_address`", variable.0, address.as_str()] {
        assert!(said.contains(word), "{said}");
    }
    assert!(!folder.path().join("data").exists());

    let port = free_port().to_string();
    let same = format!("127.0.0.1:{port}");
    let variables = [
        ("ROCKET_PORT", port.as_str()),
        ("INNKEEPER_METRICS_ADDRESS", &same),
    ];
    let said = Program::refusal_as_given(folder.path(), &variables);
    assert!(said.contains("where the site itself is served"), "{said}");
}

/// A launched application and the port of its metrics.
fn open(rocket: impl Fn(Rocket<Build>) -> Rocket<Build>) -> (Client, u16) {
    // Another test may take the port first.
    eventually("a free port", || {
        let port = free_port();
        let address = json!(format!("127.0.0.1:{port}"));
        let stage = configured("", &[("metrics_address", address)]).attach(innkeeper::stage());
        match Client::tracked(rocket(stage)) {
            Ok(client) => http::request_or_nothing(port, "GET /metrics", &[], "")
                .starts_with("HTTP/1.1 200 ")
                .then_some((client, port)),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::FailedFairings(_)));
                None
            }
        }
    })
}

#[test]
fn a_refusal_counts_once_whoever_answers_it() {
    #[rocket::get("/guarded")]
    fn guarded(current: &CurrentSession) -> String {
        current.user().to_owned()
    }

    #[rocket::catch(403)]
    fn ours() -> &'static str {
        "our own 403"
    }

    let (plain, here) = open(|rocket| rocket.mount("/", rocket::routes![guarded]));
    let (caught, there) = open(|rocket| {
        rocket
            .mount("/", rocket::routes![guarded])
            .register("/", rocket::catchers![ours])
    });
    for (client, port) in [(plain, here), (caught, there)] {
        let status = client.get("/guarded").dispatch().status();
        assert_eq!(status, Status::Forbidden);
        let refused = Scrape::of(port).value(r#"innkeeper_refusals_total{reason="no_session"}"#);
        assert!((refused - 1.0).abs() < 0.5, "{refused}");
    }
}

#[test]
fn instances_in_one_process_count_apart() {
    let ((one, here), (other, there)) = (open(identity), open(identity));
    for _ in 0..2 {
        one.post("/login/")
            .header(ContentType::JSON)
            .body(r#"{"username":"abdullah"}"#)
            .dispatch();
    }
    assert!((Scrape::of(here).value("innkeeper_sign_ins_total") - 2.0).abs() < 0.5);
    assert!(Scrape::of(there).value("innkeeper_sign_ins_total") < 0.5);
    drop(one);
    eventually("the first instance's listener to close", || {
        TcpStream::connect(("127.0.0.1", here))
            .is_err()
            .then_some(())
    });
    Scrape::of(there);
    drop(other);
}
