//! Requests that another site makes the browser send.

use rocket::http::Method;
use serde_json::json;

use crate::support::{Backend, TestApp};

const HOST: (&str, &str) = ("Host", "localhost:8000");

async fn app(public_url: &str) -> TestApp {
    let settings = [("public_url", json!(public_url))];
    TestApp::with(Backend::Embedded, &settings).await
}

#[expect(clippy::too_many_lines, reason = "one table, a line a case")]
#[rocket::async_test]
async fn who_may_post_is_decided_by_fetch_metadata_then_by_origin() {
    for (public_url, headers, passes) in [
        ("", &[HOST][..], true),
        ("", &[], true),
        ("", &[HOST, ("Sec-Fetch-Site", "same-origin")], true),
        ("", &[HOST, ("Sec-Fetch-Site", "none")], true),
        ("", &[HOST, ("Sec-Fetch-Site", "same-site")], false),
        ("", &[HOST, ("Sec-Fetch-Site", "cross-site")], false),
        ("", &[HOST, ("Sec-Fetch-Site", "")], false),
        ("", &[HOST, ("Sec-Fetch-Site", "Same-Origin")], false),
        (
            "",
            &[
                HOST,
                ("Sec-Fetch-Site", "none"),
                ("Sec-Fetch-Site", "cross-site"),
            ],
            false,
        ),
        // Fetch metadata decides where it is there, whatever the origin.
        (
            "",
            &[
                HOST,
                ("Sec-Fetch-Site", "same-origin"),
                ("Origin", "https://evil.example"),
            ],
            true,
        ),
        (
            "",
            &[
                HOST,
                ("Sec-Fetch-Site", "cross-site"),
                ("Origin", "http://localhost:8000"),
            ],
            false,
        ),
        ("", &[HOST, ("Origin", "http://localhost:8000")], true),
        ("", &[HOST, ("Origin", "https://localhost:8000")], false),
        ("", &[HOST, ("Origin", "http://localhost")], false),
        ("", &[HOST, ("Origin", "http://localhost:8001")], false),
        (
            "",
            &[HOST, ("Origin", "http://localhost:8000.evil.example")],
            false,
        ),
        ("", &[HOST, ("Origin", "http://evil.example")], false),
        ("", &[HOST, ("Origin", "null")], false),
        ("", &[HOST, ("Origin", "")], false),
        (
            "",
            &[("Host", "localhost"), ("Origin", "http://localhost")],
            true,
        ),
        (
            "",
            &[("Host", "LOCALHOST:80"), ("Origin", "http://localhost")],
            true,
        ),
        (
            "",
            &[("Host", "[::1]:8000"), ("Origin", "http://[::1]:8000")],
            true,
        ),
        // T22: without one clear host there is no origin of ours.
        ("", &[("Origin", "http://localhost:8000")], false),
        (
            "https://app.example",
            &[HOST, ("Origin", "https://app.example")],
            true,
        ),
        (
            "https://app.example:443",
            &[HOST, ("Origin", "https://app.example")],
            true,
        ),
        (
            "https://app.example",
            &[HOST, ("Origin", "http://app.example")],
            false,
        ),
        (
            "https://app.example",
            &[HOST, ("Origin", "http://localhost:8000")],
            false,
        ),
        (
            "https://app.example:8443",
            &[HOST, ("Origin", "https://app.example")],
            false,
        ),
    ] {
        for path in ["/login/", "/logout/"] {
            let app = app(public_url).await;
            let mut headers = headers.to_vec();
            headers.push(("Content-Type", "application/json"));
            let answer = app
                .program()
                .send(Method::Post, path, &headers, r#"{"username":"a"}"#)
                .await;
            let expected = if passes { 200 } else { 403 };
            assert_eq!(answer.status.code, expected, "{public_url} {headers:?}");
            if !passes {
                answer.assert_leaves_cookie();
                answer.assert_detail(403, "Cross-site request refused");
            }
        }
    }
}

#[rocket::async_test]
async fn a_refused_sign_out_leaves_the_visitor_signed_in() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let headers = [("Sec-Fetch-Site", "cross-site")];
    let answer = browser.send(Method::Post, "/logout/", &headers, "").await;
    answer.assert_page(403, "Not allowed");
    assert!(answer.text().contains("another site"));
    answer.assert_leaves_cookie();
    browser
        .profile()
        .await
        .assert_page(200, "Welcome, abdullah");
}

#[rocket::async_test]
async fn reading_is_not_refused() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let headers = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "https://evil.example"),
    ];
    let answer = browser.send(Method::Get, "/profile/", &headers, "").await;
    assert_eq!(answer.status.code, 200);
}

/// T9: Rocket lets the first field of a form choose the method, before any fairing runs.
///
/// Its local test client does not, so this talks to the program.
#[test]
fn a_form_field_does_not_choose_the_method() {
    use crate::support::{http, program::Program};

    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let form = "Content-Type: application/x-www-form-urlencoded";
    for body in [
        "_method=get",
        "_method=GET",
        "_method=delete",
        "_method=put",
        "_method=head",
        "&_method=get",
        "&&&_method=get",
        "_method.=get",
        "_method[]=get",
        "_method[]=put",
        "_method[a]=put",
        "_method:x=get",
    ] {
        let id = http::log_in(program.port(), "abdullah");
        let cookie = format!("Cookie: session_id={id}");

        let evil = [form, &cookie, "Sec-Fetch-Site: cross-site"];
        let answer = http::request(program.port(), "POST /logout/", &evil, body);
        assert_eq!(http::status(&answer), 403, "{body}");
        assert_eq!(http::profile_status(program.port(), &id), 200);

        let answer = http::request(program.port(), "POST /logout/", &[form, &cookie], body);
        assert!(
            answer.contains("\r\nlocation: /logout/\r\n"),
            "{body}: {answer}"
        );
        assert_eq!(http::profile_status(program.port(), &id), 404);
    }
    // What was no POST does not become one.
    let id = http::log_in(program.port(), "abdullah");
    let cookie = format!("Cookie: session_id={id}");
    for (head, body, status) in [
        ("PUT /logout/", "_method=zzz", 405),
        ("GET /logout/", "_method=post", 200),
    ] {
        let answer = http::request(program.port(), head, &[form, &cookie], body);
        assert_eq!(http::status(&answer), status, "{head}");
        assert_eq!(http::profile_status(program.port(), &id), 200);
    }
    let body = "_method=put&username=abdullah";
    let answer = http::request(program.port(), "POST /login/", &[form], body);
    assert_eq!(http::status(&answer), 303);
}
