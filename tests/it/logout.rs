//! Signing out.

use rocket::http::Method;
use serde_json::json;

use crate::support::http;
use crate::support::program::Program;
use crate::support::{Backend, TestApp};

on_every_store!(
    a_program_signs_out,
    signing_out_is_always_fine,
    a_browser_signs_out,
    looking_at_the_page_does_not_sign_out,
    others_of_the_same_user_stay,
);

async fn a_program_signs_out(on: Backend) {
    let app = TestApp::open(on).await;
    for path in ["/logout/", "/logout"] {
        let mut program = app.program();
        program.log_in_as("abdullah").await;
        let mut late = program.clone();
        let answer = program.send(Method::Post, path, &[], "").await;
        answer.assert_json(200, &json!({ "message": "Logged out successfully" }));
        answer.assert_removes_cookie("session_id");
        late.profile().await.assert_detail(404, "Session expired");
    }
}

async fn signing_out_is_always_fine(on: Backend) {
    let app = TestApp::open(on).await;
    let done = json!({ "message": "Logged out successfully" });
    let answer = app.program().log_out().await;
    answer.assert_json(200, &done);
    answer.assert_leaves_cookie();

    for stale in ["5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a", "nonsense", ""] {
        let answer = app
            .program()
            .with_cookie("session_id", stale)
            .log_out()
            .await;
        answer.assert_json(200, &done);
        answer.assert_removes_cookie("session_id");
    }
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let answer = program
        .post("/logout/", "application/json", "{not json")
        .await;
    answer.assert_json(200, &done);
}

async fn a_browser_signs_out(on: Backend) {
    let app = TestApp::open(on).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let form = "application/x-www-form-urlencoded";
    let answer = browser.post("/logout/", form, "").await;
    answer.assert_sees_other("/logout/");
    answer.assert_removes_cookie("session_id");
    assert!(!browser.has_cookie());
    browser
        .get("/logout/")
        .await
        .assert_page(200, "You are signed out");
}

async fn looking_at_the_page_does_not_sign_out(on: Backend) {
    let app = TestApp::open(on).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let page = browser.get("/logout").await;
    page.assert_page(200, "Sign out?");
    assert!(page.text().contains("signed in as abdullah"));
    assert!(
        page.body
            .contains(r#"<form method="post" action="/logout/">"#)
    );
    browser
        .profile()
        .await
        .assert_page(200, "Welcome, abdullah");
}

async fn others_of_the_same_user_stay(on: Backend) {
    let app = TestApp::open(on).await;
    let (mut here, mut there) = (app.program(), app.program());
    here.log_in_as("abdullah").await;
    there.log_in_as("abdullah").await;
    here.log_out().await;
    assert_eq!(there.profile().await.status.code, 200);
}

#[rocket::async_test]
async fn a_browser_that_came_without_a_cookie_is_told_that_nothing_ended() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut browser = app.browser();
    let answer = browser.log_out().await;
    answer.assert_sees_other("/logout/?without_cookie=1");
    let page = browser.get("/logout/?without_cookie=1").await;
    page.assert_page(200, "You were not signed in here");
    assert!(!page.body.contains("data-signed-out"));
    // Who is signed in is asked as ever.
    browser.submit_login_form("abdullah").await;
    browser
        .get("/logout/?without_cookie=1")
        .await
        .assert_page(200, "Sign out?");
}

/// Rocket reads no `Cookie` header that is not UTF-8 as a whole.
#[test]
fn a_cookie_header_that_cannot_be_read_is_no_sign_out() {
    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    let id = http::log_in(program.port(), "abdullah");
    let mut request = b"POST /logout/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\nCookie: lang=fran\xe7ais; session_id="
        .to_vec();
    request.extend(id.as_bytes());
    request.extend(b"\r\n\r\n");
    let answer = http::exchange(program.port(), &request);
    let told = "\r\nlocation: /logout/?without_cookie=1\r\n";
    assert!(answer.contains(told), "{answer}");
    assert_eq!(http::profile_status(program.port(), &id), 200);
}
