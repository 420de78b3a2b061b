//! Requests that are meant for another host (DNS rebinding).

use rocket::http::uri::Host;
use rocket::http::{ContentType, Header, Method};
use rocket::local::blocking::Client;
use rocket::uri;
use serde_json::json;

use crate::support::program::Program;
use crate::support::{Backend, TestApp, configured, http};

const OURS: [&str; 8] = [
    "localhost",
    "localhost:8000",
    "LocalHost:1",
    "app.localhost:8000",
    "127.0.0.1:8000",
    "127.8.9.10",
    "[::1]",
    "[::1]:8000",
];

const OTHERS: [&str; 10] = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example:8000",
    "127.0.0.1.evil.example",
    "evil.example:127.0.0.1",
    "notlocalhost",
    "192.0.2.7:8000",
    "0.0.0.0:8000",
    "[::]:8000",
    "",
];

const DETAIL: &str = "Only this machine is a host here, unless `public_url` names another";

#[rocket::async_test]
async fn on_loopback_only_this_machine_is_a_host() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    for host in OURS {
        let answer = program
            .send(Method::Get, "/profile/", &[("Host", host)], "")
            .await;
        assert_eq!(answer.status.code, 200, "{host}");
    }
    for host in OTHERS {
        for (method, path) in [
            (Method::Get, "/"),
            (Method::Get, "/login/"),
            (Method::Get, "/profile/"),
            (Method::Head, "/profile/"),
            (Method::Get, "/sessions/"),
            (Method::Delete, "/sessions/"),
            (Method::Get, "/session/"),
            (Method::Post, "/login/"),
            (Method::Post, "/logout/"),
            (Method::Put, "/login/"),
            (Method::Get, "/healthz"),
            (Method::Get, "/openapi.json"),
            (Method::Get, "/static/innkeeper/style.css"),
            (Method::Get, "/nowhere"),
        ] {
            // As a browser says it to a page of the same name.
            let headers = [("Host", host), ("Sec-Fetch-Site", "same-origin")];
            let answer = program.send(method, path, &headers, "").await;
            assert_eq!(answer.status.code, 421, "{method} {path} for {host}");
            answer.assert_leaves_cookie();
            if method != Method::Head {
                answer.assert_detail(421, DETAIL);
            }
        }
    }
    // T22: of two it cannot be told which one is meant.
    for other in ["evil.example:8000", "127.0.0.1:8000"] {
        let two = [("Host", "localhost:8000"), ("Host", other)];
        let answer = program.send(Method::Get, "/profile/", &two, "").await;
        answer.assert_detail(421, DETAIL);
    }
    assert_eq!(program.profile().await.status.code, 200);
}

#[rocket::async_test]
async fn a_browser_is_told_so_on_a_page() {
    let app = TestApp::open(Backend::Embedded).await;
    let host = [("Host", "evil.example:8000")];
    for path in ["/login/", "/nowhere"] {
        let page = app.browser().send(Method::Get, path, &host, "").await;
        page.assert_page(421, "Not at this address");
        assert!(page.text().contains("public_url"), "{}", page.text());
    }
}

#[rocket::async_test]
async fn where_the_site_has_a_name_the_proxy_may_use_any() {
    let settings = [("public_url", json!("https://app.example"))];
    let app = TestApp::with(Backend::Embedded, &settings).await;
    for host in ["app.example", "innkeeper", "10.0.0.7:8000"] {
        let answer = app
            .program()
            .send(Method::Get, "/login/", &[("Host", host)], "")
            .await;
        assert_eq!(answer.status.code, 200, "{host}");
    }
}

/// HTTP/2 has no `Host`; Rocket's local client has neither, so the test sets what Rocket reads.
#[test]
fn an_authority_is_a_host_too() {
    let rocket = configured("", &[]).attach(innkeeper::stage());
    let client = Client::untracked(rocket).unwrap();
    for (host, origin, status) in [
        (uri!("localhost:8000"), "http://localhost:8000", 200),
        (uri!("localhost:8000"), "http://localhost:8001", 403),
        (uri!("evil.example:8000"), "http://evil.example:8000", 421),
    ] {
        let mut request = client
            .post("/login/")
            .header(ContentType::JSON)
            .header(Header::new("Origin", origin))
            .body(r#"{"username":"abdullah"}"#);
        request.inner_mut().set_host(Host::from(host));
        assert_eq!(request.dispatch().status().code, status, "{origin}");
    }
}

/// What `/metrics` tells is nobody else's business either.
#[test]
fn the_program_and_its_metrics_refuse_other_hosts() {
    let program = Program::start(&[
        ("INNKEEPER_STORE_PATH", ":memory:"),
        ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
    ]);
    let ask = |port: u16, path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        http::status(&http::exchange(port, request.as_bytes()))
    };
    let (site, metrics) = (program.port(), program.metrics_port());
    for (port, path) in [
        (site, "/login/"),
        (site, "/healthz"),
        (metrics, "/metrics"),
        (metrics, "/readyz"),
    ] {
        assert_eq!(ask(port, path, "Host: localhost:1\r\n"), 200, "{path}");
        assert_eq!(ask(port, path, "Host: evil.example\r\n"), 421, "{path}");
        // Without one it is no browser's.
        assert_eq!(ask(port, path, ""), 200, "{path}");
    }
    let page = "Host: evil.example\r\nAccept: text/html\r\n";
    for (port, path) in [
        (site, "/nowhere"),
        (metrics, "/metrics"),
        (metrics, "/nowhere"),
    ] {
        assert_eq!(ask(port, path, page), 421, "{path}");
    }
}

#[test]
fn beyond_loopback_the_operator_has_said_who_may_ask() {
    let program = Program::start(&[
        ("INNKEEPER_STORE_PATH", ":memory:"),
        ("ROCKET_ADDRESS", "0.0.0.0"),
        ("INNKEEPER_OPEN_TO_THE_WORLD", "true"),
    ]);
    let request = b"GET /login/ HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n";
    assert_eq!(http::status(&http::exchange(program.port(), request)), 200);
}
