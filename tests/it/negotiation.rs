//! HTML or JSON: the table of Accept and Content-Type.

use rocket::http::Method;

use crate::support::http;
use crate::support::program::Program;
use crate::support::{Backend, TestApp};

#[rocket::async_test]
async fn the_profile_is_answered_in_what_accept_prefers() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut client = app.program();
    client.log_in_as("abdullah").await;
    let (html, json) = ("text/html; charset=utf-8", "application/json");
    for (accept, expected) in [
        ("*/*", json),
        ("application/json", json),
        ("application/*", json),
        ("text/html", html),
        ("text/*", html),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            html,
        ),
        ("text/html, application/json;q=0.9", html),
        ("text/html;q=0.9, application/json", json),
        ("text/html;q=0.5, */*;q=0.8", json),
        ("text/html;q=0, */*", json),
        // A range that names the type more exactly counts, wherever it stands.
        ("*/*;q=0.8, text/html", html),
        (
            "text/*;q=0.5, text/html;q=0.9, application/json;q=0.7",
            html,
        ),
        ("text/html;q=0", json),
        ("application/json, text/html", json),
        ("text/html, application/json", html),
        ("text/plain, application/json;q=0.9", json),
        ("application/xml, application/json", json),
        ("application/xhtml+xml, text/html", html),
        ("image/png", json),
        ("nonsense", json),
    ] {
        let answer = client
            .send(Method::Get, "/profile/", &[("Accept", accept)], "")
            .await;
        assert_eq!(answer.status.code, 200, "{accept}");
        assert_eq!(answer.header("Content-Type"), Some(expected), "{accept}");
        assert_eq!(answer.header("Vary"), Some("Accept"), "{accept}");
    }
}

#[rocket::async_test]
async fn several_lines_of_accept_are_one_list() {
    let app = TestApp::open(Backend::Embedded).await;
    let lines = [("Accept", "image/png"), ("Accept", "text/html")];
    let answer = app
        .browser()
        .send(Method::Get, "/nowhere", &lines, "")
        .await;
    answer.assert_page(404, "Page not found");
}

#[rocket::async_test]
async fn a_posted_form_is_answered_with_a_page() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    program
        .submit_login_form("abdullah")
        .await
        .assert_sees_other("/profile/");
    assert!(program.has_cookie());
}

#[rocket::async_test]
async fn json_is_answered_with_a_page_where_accept_prefers_one() {
    let app = TestApp::open(Backend::Embedded).await;
    app.browser()
        .log_in_as("abdullah")
        .await
        .assert_sees_other("/profile/");
    app.browser()
        .log_out()
        .await
        .assert_sees_other("/logout/?without_cookie=1");
}

#[rocket::async_test]
async fn pages_without_a_json_form_answer_every_client() {
    let app = TestApp::open(Backend::Embedded).await;
    app.program()
        .get("/login/")
        .await
        .assert_page(200, "Sign in");
    app.program()
        .get("/logout/")
        .await
        .assert_page(200, "You are signed out");
}

#[rocket::async_test]
async fn a_wrong_method_is_told_the_right_ones() {
    let app = TestApp::open(Backend::Embedded).await;
    for (method, path, allow) in [
        (Method::Put, "/profile/", "GET, HEAD"),
        (Method::Post, "/profile", "GET, HEAD"),
        (Method::Delete, "/login/", "GET, HEAD, POST"),
        (Method::Patch, "/logout", "GET, HEAD, POST"),
        (Method::Options, "/", "GET, HEAD"),
        (Method::Put, "/sessions/others", "DELETE"),
        (Method::Put, "/sessions/0123456789abcdef", "DELETE"),
        (Method::Get, "/sessions/0123456789abcdef/end", "POST"),
        (Method::Post, "/static/innkeeper/style.css", "GET, HEAD"),
    ] {
        let answer = app.program().send(method, path, &[], "").await;
        answer.assert_detail(405, "Method Not Allowed");
        assert_eq!(answer.header("Allow"), Some(allow), "{method} {path}");
    }
    let page = app.browser().send(Method::Put, "/profile/", &[], "").await;
    page.assert_page(405, "That does not work here");
}

#[rocket::async_test]
async fn an_unknown_address_is_not_found_in_both_forms() {
    let app = TestApp::open(Backend::Embedded).await;
    for path in [
        "/nowhere",
        "/profile/x",
        "/login/login",
        "/static/innkeeper/",
        "/static/innkeeper/../Cargo.toml",
    ] {
        let answer = app.program().get(path).await;
        answer.assert_detail(404, "Not Found");
        assert_eq!(answer.header("Allow"), None);
    }
    let page = app.browser().get("/nowhere").await;
    page.assert_page(404, "Page not found");
    assert!(page.body.contains(r#"<a class="button" href="/">"#));
}

#[rocket::async_test]
async fn head_is_answered_like_get_without_the_body() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    let refused = program.send(Method::Head, "/profile/", &[], "").await;
    assert_eq!((refused.status.code, refused.body.as_str()), (403, ""));
    program.log_in_as("abdullah").await;
    let answer = program.send(Method::Head, "/profile/", &[], "").await;
    assert_eq!((answer.status.code, answer.body.as_str()), (200, ""));
}

/// Rocket takes a method that it does not know for a request that makes no sense.
#[test]
fn an_unknown_method_is_a_wrong_one() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    for (head, allow) in [
        ("QUERY /profile/", "GET, HEAD"),
        ("FOO /login", "GET, HEAD, POST"),
        ("QUERY /sessions/end", "POST"),
        ("OPTIONS /sessions/end", "POST"),
        ("FOO /", "GET, HEAD"),
    ] {
        let answer = http::request(program.port(), head, &[], "");
        assert_eq!(http::status(&answer), 405, "{head}: {answer}");
        let line = format!("\r\nallow: {allow}\r\n");
        assert!(
            answer.to_lowercase().contains(&line.to_lowercase()),
            "{head}: {answer}"
        );
    }
    let answer = http::request(program.port(), "FOO /nowhere", &[], "");
    assert_eq!(http::status(&answer), 400);
}

#[rocket::async_test]
async fn a_long_accept_counts_as_none() {
    let app = TestApp::open(Backend::Embedded).await;
    let of_length = |length: usize| {
        let ranges = format!("text/html{}", ",a/b".repeat((length - 9) / 4));
        format!("{ranges:<length$}")
    };
    for (length, page) in [(1024, true), (1025, false), (8_001, false)] {
        let accept = of_length(length);
        assert_eq!(accept.len(), length);
        let lines = [("Accept", accept.as_str())];
        let answer = app
            .program()
            .send(Method::Get, "/nowhere", &lines, "")
            .await;
        let kind = answer.header("Content-Type").unwrap();
        assert_eq!(kind.starts_with("text/html"), page, "{length}");
    }
    let half = of_length(601);
    let lines = [("Accept", half.as_str()), ("Accept", half.as_str())];
    let answer = app
        .program()
        .send(Method::Get, "/nowhere", &lines, "")
        .await;
    answer.assert_detail(404, "Not Found");
}

/// What a header of one request may cost: hyper lets 400 KB of them through.
#[test]
fn no_header_takes_more_memory_than_its_length_explains() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let id = http::log_in(program.port(), "abdullah");
    program.limit_more_memory_to(256);
    let cookie = format!("Cookie: session_id={id}");
    let requests = [
        "GET /profile/",
        "GET /login/",
        "GET /sessions/",
        "GET /session/",
        "GET /openapi.json",
        "GET /static/innkeeper/style.css",
        "GET /nowhere",
        "POST /login/",
        "POST /logout/",
        "DELETE /sessions/others",
        "BREW /profile/",
    ];
    let headers = [
        ("Accept", "*/*,"),
        ("Accept", "a/b;c=d,"),
        ("Accept", "a/b;c=\"d\";"),
        ("Accept-Encoding", "gzip,"),
        ("Accept-Language", "en;q=0.5,"),
        ("Content-Type", "a/b;c=d;"),
        ("Content-Type", "application/x-www-form-urlencoded;a=b"),
        ("Cookie", "session_id=a;"),
        ("Cookie", "a%20=b%20; "),
        ("Host", "a."),
        ("If-None-Match", "\"a\","),
        ("Origin", "http://a."),
        ("Referer", "http://a/"),
        ("Sec-Fetch-Site", "none "),
        ("User-Agent", "Mozilla/5.0 ("),
        ("X-HTTP-Method-Override", "PUT"),
        ("X-Real-IP", "1."),
        ("X-Request-Id", "a-"),
    ];
    for (name, part) in headers {
        for kilobytes in [8, 64, 200] {
            let header = format!("{name}: {}", part.repeat(kilobytes * 1000 / part.len()));
            for head in requests {
                let answer = http::request(program.port(), head, &[&header, &cookie], "");
                assert!(answer.starts_with("HTTP/1.1 "), "{head}, {name}: {answer}");
            }
        }
    }
    assert_eq!(http::profile_status(program.port(), &id), 404);
    let alive = http::request(program.port(), "GET /healthz", &[], "");
    assert_eq!(http::status(&alive), 200);
}
