//! The end of a process, and its start beside others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http;
use crate::support::nginx::Nginx;
use crate::support::program::{Program, signal};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;
use crate::support::{configured, eventually, free_port};

#[test]
fn readiness_goes_first_and_what_is_in_flight_is_finished() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(&redis.url());
    let url = proxy.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "20000"),
    ];
    let mut program = Program::start(&variables);
    let port = program.port();
    let id = http::log_in(port, "abdullah");
    // Longer than the notice: the answer comes when nobody is let in any more.
    proxy.delay(Duration::from_millis(2500));
    let status = thread::scope(|scope| {
        let answer = scope.spawn(|| http::profile_status(port, &id));
        thread::sleep(Duration::from_millis(300));
        program.ask_to_end();
        eventually("it to have heard", || {
            program.log().contains("asked to end").then_some(())
        });
        let ready = eventually("readiness to go", || {
            let answer = http::request_or_nothing(port, "GET /readyz", &[], "");
            answer.contains("shutting down").then_some(answer)
        });
        assert_eq!(http::status(&ready), 503);
        assert!(
            ready.to_lowercase().contains("connection: close"),
            "{ready}"
        );
        assert_eq!(answer.join().unwrap(), 200);
        program.wait()
    });
    assert!(status.success(), "{status}: {}", program.log());
}

/// T17, T20: a client that never finishes keeps no process from ending well.
#[test]
fn clients_that_say_nothing_do_not_keep_a_process() {
    let mut program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let half = |text: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", program.port())).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let streams = [
        half(""),
        half("GET /profile/ HTTP/1.1\r\nHost: localhost\r\n"),
        half(
            "POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        ),
    ];
    let begun = Instant::now();
    let status = program.terminate();
    assert!(status.success(), "{status}: {}", program.log());
    // A second each for the drain, the store and the answer; the bound leaves room for a slow machine.
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(program.log().contains("were cut"), "{}", program.log());
    drop(streams);
}

const IN_MEMORY: (&str, &str) = ("INNKEEPER_STORE_PATH", ":memory:");
const NO_DRAIN: (&str, &str) = ("INNKEEPER_DRAIN_SECS", "0");
/// What is under way has a minute.
const LONG_WAIT: (&str, &str) = ("INNKEEPER_REDIS_TIMEOUT_MS", "60000");

#[test]
fn idle_connections_are_closed_at_once() {
    let mut program = Program::start(&[IN_MEMORY, NO_DRAIN, LONG_WAIT]);
    // A connection that a browser has opened in advance, and one that it has used.
    let unused = TcpStream::connect(("127.0.0.1", program.port())).unwrap();
    let mut used = TcpStream::connect(("127.0.0.1", program.port())).unwrap();
    used.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut start = [0; 12];
    used.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let begun = Instant::now();
    let status = program.terminate();
    assert!(status.success(), "{status}: {}", program.log());
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(!program.log().contains("cut"), "{}", program.log());
    drop((unused, used));
}

#[test]
fn asked_twice_it_ends_at_once() {
    let long = ("INNKEEPER_DRAIN_SECS", "3600");
    let mut program = Program::start(&[IN_MEMORY, long, LONG_WAIT]);
    let mut half = TcpStream::connect(("127.0.0.1", program.port())).unwrap();
    half.write_all(b"GET /").unwrap();
    program.ask_to_end();
    eventually("it to have heard", || {
        program.log().contains("asked to end").then_some(())
    });
    let status = program.terminate();
    assert!(status.success(), "{status}: {}", program.log());
    assert!(program.log().contains("at once"), "{}", program.log());
}

#[test]
fn ctrl_c_ends_it_without_drain() {
    let long = ("INNKEEPER_DRAIN_SECS", "3600");
    let mut program = Program::start(&[IN_MEMORY, long, LONG_WAIT]);
    program.signal("INT");
    let status = program.wait();
    assert!(status.success(), "{status}: {}", program.log());
}

#[test]
fn a_hangup_changes_nothing() {
    let program = Program::start(&[IN_MEMORY]);
    let id = http::log_in(program.port(), "abdullah");
    program.signal("HUP");
    eventually("it to have heard", || {
        program
            .log()
            .contains("SIGHUP changes nothing")
            .then_some(())
    });
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

#[test]
fn a_rolling_restart_loses_no_request_and_no_session() {
    let redis = RedisServer::start();
    let url = redis.url();
    let variables = [("REDIS_URL", url.as_str())];
    let mut instances = [Program::start(&variables), Program::start(&variables)];
    let nginx = Nginx::in_front_of([instances[0].port(), instances[1].port()]);
    let port = nginx.port();
    let id = http::log_in(port, "abdullah");
    let over = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..4 {
            let (id, over, served) = (&id, &over, &served);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if client == 0 {
                        let own = http::log_in(port, "zoe");
                        let cookie = format!("Cookie: session_id={own}");
                        let answer = http::request(port, "POST /logout/", &[&cookie], "");
                        assert_eq!(http::status(&answer), 200, "{answer}");
                    } else {
                        assert_eq!(http::profile_status(port, id), 200);
                    }
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for instance in &mut instances {
            let before = served.load(Ordering::Relaxed);
            let status = instance.terminate();
            assert!(status.success(), "{status}");
            instance.start_again(&variables);
            eventually("requests to go on", || {
                (served.load(Ordering::Relaxed) > before + 20).then_some(())
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(http::profile_status(port, &id), 200);
}

/// An instance that hangs (SIGSTOP) costs the requests that it was given a wait, and none its answer.
#[test]
fn behind_nginx_a_hung_instance_loses_no_request() {
    let redis = RedisServer::start();
    let url = redis.url();
    let variables = [("REDIS_URL", url.as_str())];
    let instances = [Program::start(&variables), Program::start(&variables)];
    let nginx = Nginx::in_front_of([instances[0].port(), instances[1].port()]);
    let port = nginx.port();
    let id = http::log_in(port, "abdullah");
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(http::profile_status(port, &id), 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("requests to be under way", || {
            (served.load(Ordering::Relaxed) > 10).then_some(())
        });
        instances[0].stop();
    });
    instances[0].go_on();
    assert_eq!(served.load(Ordering::Relaxed), 8 * 20);
}

#[test]
fn nginx_keeps_probes_and_floods_from_the_public() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let nginx = Nginx::in_front_of([program.port(), program.port()]);
    for path in [
        "/healthz",
        "/healthz/",
        "/readyz",
        "/%72eadyz",
        "//readyz",
        "/readyz?a",
    ] {
        let answer = http::request(nginx.port(), &format!("GET {path}"), &[], "");
        assert_eq!(http::status(&answer), 404, "{path}");
        assert!(!answer.contains("x-request-id"), "{path}: {answer}");
    }
    // A connection counts once its first request has been read.
    let half = "POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let held: Vec<_> = (0..110)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", nginx.port())).unwrap();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        })
        .collect();
    let refused = held.into_iter().filter(|mut stream| {
        let mut answer = String::new();
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 429 ")
    });
    assert!(refused.count() >= 1);
}

/// T17: what Rocket waits for, nginx does not.
#[test]
fn behind_nginx_slow_clients_are_dropped_and_real_ones_served() {
    let redis = RedisServer::start();
    let url = redis.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("ROCKET_IP_HEADER", "X-Real-IP"),
    ];
    let instances = [Program::start(&variables), Program::start(&variables)];
    let nginx = Nginx::in_front_of([instances[0].port(), instances[1].port()]);
    let slow: Vec<_> = (0..60)
        .map(|client| {
            let mut stream = TcpStream::connect(("127.0.0.1", nginx.port())).unwrap();
            let text = match client % 3 {
                0 => "GET /profile/ HTTP/1.1\r\nHost: localhost\r\nX-A: ",
                1 => "POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
                _ => "",
            };
            stream.write_all(text.as_bytes()).unwrap();
            stream
        })
        .collect();
    let id = http::log_in(nginx.port(), "abdullah");
    assert_eq!(http::profile_status(nginx.port(), &id), 200);
    for mut stream in slow {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        // Until the end: nginx has closed it.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let cookie = format!("Cookie: session_id={id}");
    let forged = "X-Real-IP: 8.8.8.8";
    let listed = http::request(nginx.port(), "GET /sessions/", &[&cookie, forged], "");
    assert!(listed.contains("\"ip\":\"127.0.0.1\""), "{listed}");
}

const SERVED_PORT: &str = "INN_SERVED_PORT";

/// This test's own process, run again: it holds the application.
#[test]
fn an_application_that_launch_serves_ends_as_the_program_does() {
    if let Ok(port) = std::env::var(SERVED_PORT) {
        serve_application(port.parse().unwrap());
        return;
    }
    let port = free_port();
    let name = "shutdown::an_application_that_launch_serves_ends_as_the_program_does";
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(SERVED_PORT, port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it to listen", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let ready = || http::request_or_nothing(port, "GET /readyz", &[], "");
    assert_eq!(http::status(&ready()), 200);
    signal(process.id(), "TERM");
    // Rocket itself would not be reached any more.
    let draining = eventually("readiness to go", || {
        let answer = ready();
        answer.contains("shutting down").then_some(answer)
    });
    assert_eq!(http::status(&draining), 503);
    signal(process.id(), "TERM");
    assert!(process.wait().unwrap().success());
}

fn serve_application(port: u16) {
    let settings = [
        ("drain_secs", json!(600)),
        ("public_url", json!("http://localhost")),
    ];
    let rocket = configured("", &settings);
    let figment = rocket.figment().clone().merge(("port", port));
    let rocket = rocket.configure(figment).attach(innkeeper::stage());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(innkeeper::launch(rocket)).unwrap();
}
