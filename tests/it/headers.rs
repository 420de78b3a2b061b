//! The security headers, on every answer of ours.

use rocket::http::Method;
use serde_json::json;

use crate::support::http;
use crate::support::program::Program;
use crate::support::{Answer, Backend, TestApp};

const EVERYWHERE: [(&str, &str); 3] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

const PAGE: [(&str, &str); 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

const NO_PAGE: [(&str, &str); 1] = [(
    "Content-Security-Policy",
    "default-src 'none'; frame-ancestors 'none'",
)];

#[track_caller]
fn assert_hardened(answer: &Answer) {
    let kind = answer.header("Content-Type").unwrap_or_default();
    let special: &[_] = if kind.starts_with("text/html") {
        &PAGE
    } else {
        &NO_PAGE
    };
    for (name, value) in EVERYWHERE.iter().chain(special) {
        assert_eq!(answer.all(name).collect::<Vec<_>>(), [*value], "{answer:?}");
    }
    assert_eq!(answer.header("Server"), None);
}

#[rocket::async_test]
async fn every_answer_has_them() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut signed_in = app.browser();
    signed_in.submit_login_form("abdullah").await;
    for mut client in [app.program(), app.browser(), signed_in] {
        for path in ["/", "/login/", "/profile/", "/logout/", "/nowhere"] {
            for method in [
                Method::Get,
                Method::Head,
                Method::Post,
                Method::Delete,
                Method::Options,
            ] {
                let answer = client.clone().send(method, path, &[], "").await;
                assert_hardened(&answer);
                assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{path}");
                assert_eq!(answer.header("Strict-Transport-Security"), None);
            }
        }
        let large = "x".repeat(20_000);
        assert_hardened(&client.post("/login/", "application/json", &large).await);
        assert_hardened(&client.post("/login/", "text/plain", "x").await);
        assert_hardened(&client.post("/login/", "application/json", "{").await);
    }
}

#[rocket::async_test]
async fn static_files_have_them() {
    let app = TestApp::open(Backend::Embedded).await;
    for (file, kind) in [
        ("style.css", "text/css; charset=utf-8"),
        ("innkeeper.js", "text/javascript"),
        ("docs.js", "text/javascript"),
        ("favicon.svg", "image/svg+xml"),
    ] {
        let path = format!("/static/innkeeper/{file}");
        let answer = app.browser().get(&path).await;
        assert_hardened(&answer);
        assert_eq!(answer.header("Content-Type"), Some(kind));
    }
}

#[rocket::async_test]
async fn a_file_that_is_not_there_may_not_be_kept() {
    let app = TestApp::open(Backend::Embedded).await;
    let answer = app.browser().get("/static/innkeeper/nope.css").await;
    assert_eq!(answer.status.code, 404);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
}

#[rocket::async_test]
async fn behind_https_browsers_are_told_to_stay_there() {
    let settings = [("public_url", json!("https://app.example"))];
    let app = TestApp::with(Backend::Embedded, &settings).await;
    for path in ["/login/", "/nowhere", "/static/innkeeper/style.css"] {
        assert_eq!(
            app.browser()
                .get(path)
                .await
                .header("Strict-Transport-Security"),
            Some("max-age=31536000")
        );
    }
}

/// Rocket gives what it cannot read at all to the catcher, past every response fairing.
#[test]
fn even_what_is_not_understood_is_answered_with_them() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    for head in ["FOO /profile/", "GET /profile/", "POST /nowhere"] {
        let answer = http::request(program.port(), head, &[], "").to_lowercase();
        for (name, value) in EVERYWHERE.into_iter().chain(NO_PAGE) {
            let line = format!("\r\n{name}: {value}\r\n").to_lowercase();
            assert!(answer.contains(&line), "{head}: {name} in {answer}");
        }
        assert!(!answer.contains("\r\nserver:"), "{head}: {answer}");
        assert!(answer.contains("{\"detail\":"), "{head}: {answer}");
    }
}

/// Of the program, every answer is ours: nothing of Rocket's own defaults is left.
#[test]
fn what_is_no_page_has_no_header_that_means_nothing_there() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let answer = http::request(program.port(), "GET /profile/", &[], "").to_lowercase();
    for name in [
        "permissions-policy",
        "referrer-policy",
        "cross-origin-opener-policy",
    ] {
        assert!(!answer.contains(name), "{answer}");
    }
    assert!(
        answer.contains("\r\ncache-control: no-store\r\n"),
        "{answer}"
    );
}
