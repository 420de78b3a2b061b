//! The session cookie: its policy, and what is read of the request's cookies.

use serde_json::json;

use crate::support::{Backend, TestApp, TestClient};

async fn secure_inn() -> TestApp {
    let settings = [("public_url", json!("https://app.example"))];
    TestApp::with(Backend::Embedded, &settings).await
}

/// T11, T13, T35: browsers ignore the removal of a `__Host-` cookie without `Secure`.
#[rocket::async_test]
async fn behind_https_the_cookie_is_bound_to_the_host() {
    let app = secure_inn().await;
    let mut browser = app.browser();
    let answer = browser.log_in_as("abdullah").await;
    let id = browser.id();
    assert_eq!(
        answer.header("Set-Cookie"),
        Some(format!("__Host-session_id={id}; HttpOnly; SameSite=Lax; Secure; Path=/").as_str())
    );
    let answer = browser.log_out().await;
    answer.assert_removes_cookie("__Host-session_id");
    assert!(
        answer
            .header("Set-Cookie")
            .unwrap()
            .contains("; Secure; Path=/")
    );
    assert!(!browser.has_cookie());
}

#[rocket::async_test]
async fn behind_https_only_the_bound_name_is_read() {
    let app = secure_inn().await;
    let mut signed_in = app.program();
    signed_in.log_in_as("abdullah").await;
    assert_eq!(signed_in.profile().await.status.code, 200);
    // A browser enforces the prefix of the name as it is written: what only decodes to it could come from anybody.
    for name in [
        "session_id",
        "__Host%2Dsession_id",
        "%5F_Host-session_id",
        "__host-session_id",
        "\u{a0}__Host-session_id",
        "\u{2003}__Host-session_id",
        "__Host-session_id\u{85}",
    ] {
        let mut other = app.program().with_cookie(name, &signed_in.id());
        other
            .profile()
            .await
            .assert_detail(403, "No session cookie found");
    }
}

async fn with_header(cookies: &[&str]) -> (u16, TestClient) {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let other = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let headers: Vec<_> = cookies
        .iter()
        .map(|text| text.replace("ID", &program.id()).replace("OTHER", other))
        .collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|text| ("Cookie", text.as_str()))
        .collect();
    let answer = program
        .send(rocket::http::Method::Get, "/profile/", &headers, "")
        .await;
    (answer.status.code, program)
}

#[rocket::async_test]
async fn two_different_session_cookies_are_refused() {
    for cookies in [
        &["session_id=ID; session_id=OTHER"][..],
        &["session_id=OTHER; session_id=ID"],
        &["session_id=ID", "session_id=OTHER"],
        &["session_id=ID; theme=dark; session_id="],
    ] {
        let (status, mut program) = with_header(cookies).await;
        assert_eq!(status, 400, "{cookies:?}");
        assert_eq!(program.profile().await.status.code, 200);
    }
}

/// It would be refused for ever: only a page that an outage caused tries again by itself.
#[rocket::async_test]
async fn the_page_that_refuses_two_cookies_does_not_load_itself_again() {
    let app = TestApp::open(Backend::Embedded).await;
    let headers = [("Cookie", "session_id=a; session_id=b")];
    let mut browser = app.browser();
    let method = rocket::http::Method::Get;
    let answer = browser.send(method, "/profile/", &headers, "").await;
    assert_eq!(answer.status.code, 400);
    assert!(!answer.body.contains("refresh"), "{}", answer.body);
    assert!(!answer.body.contains("data-retry"), "{}", answer.body);
}

#[rocket::async_test]
async fn ambiguous_cookies_neither_sign_in_nor_out() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let both = format!("session_id={}; session_id=x", program.id());
    for path in ["/login/", "/logout/"] {
        let headers = [
            ("Cookie", both.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = program
            .send(
                rocket::http::Method::Post,
                path,
                &headers,
                r#"{"username":"b"}"#,
            )
            .await;
        answer.assert_detail(400, "More than one session cookie found");
        answer.assert_leaves_cookie();
    }
    assert_eq!(program.profile().await.status.code, 200);
}

#[rocket::async_test]
async fn the_cookie_is_found_among_others() {
    for cookies in [
        &["session_id=ID"][..],
        &["session_id=ID; session_id=ID"],
        &["a=b; session_id=ID ;c=d;;=;x"],
        &["a=b", " session_id = ID "],
        &["xsession_id=OTHER; session_id=ID; session_idx=OTHER; SESSION_ID=OTHER"],
    ] {
        assert_eq!(with_header(cookies).await.0, 200, "{cookies:?}");
    }
}
